/** `npm run build:client`: the client as a package, in `dist/client`. */
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { buildClient } from './client.ts';

const folder = fileURLToPath(new URL('../dist/client', import.meta.url));
await rm(folder, { recursive: true, force: true });
await buildClient(folder);
console.log(`Written to ${folder}`);
