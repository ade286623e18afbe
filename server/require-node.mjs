/**
 * Says in one sentence when the running Node is too old to take .ts files, before `npm start` loads any.
 *
 * Plain JavaScript of an old dialect, so that an old Node can still read it. After a full `npm ci` the npm scripts use the
 * Node of the `node` package; an older one only appears where the devDependencies were left out.
 */
import { readFileSync } from 'node:fs';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const required = engines.node.replace('>=', '');
const [requiredMajor, requiredMinor] = required.split('.').map(Number);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < requiredMajor || (major === requiredMajor && minor < requiredMinor)) {
  console.error(
    `Gavel needs Node ${required} or newer, and this is ${process.version}: run \`npm ci\`, which brings one, and then \`npm start\`.`,
  );
  process.exit(1);
}
