/**
 * `GameClient` as a package for games: one file that browsers load as it is, with everything in it,
 * and its types.
 */
import { build } from 'esbuild';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import packageJson from '#package.json' with { type: 'json' };

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TYPESCRIPT = join(ROOT, 'node_modules/typescript/bin/tsc');

/** The browsers of the last three years. */
const TARGET = 'es2022';

/** Packages whose types are part of the client's. */
const TYPES_OF = ['@colyseus/schema', '@colyseus/sdk', 'eventemitter3', 'zod'] as const;

/** Writes the package into a folder. Rejects if the client needs what browsers do not have. */
export async function buildClient(folder: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['client/index.ts'],
    outfile: join(folder, 'gavel-client.js'),
    bundle: true,
    format: 'esm',
    // Imports of `node:` modules end the build.
    platform: 'browser',
    target: TARGET,
    minify: true,
    sourcemap: true,
    legalComments: 'linked',
    logLevel: 'warning',
  });
  const types = ['--declaration', '--emitDeclarationOnly', '--noEmit', 'false', '--rootDir', ROOT, '--outDir', join(folder, 'types')];
  await promisify(execFile)(process.execPath, [TYPESCRIPT, '-p', join(ROOT, 'client'), ...types]);
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(description(), null, 2)}\n`);
}

function description(): object {
  const { version, license, dependencies } = packageJson;
  return {
    name: 'gavel-client',
    version,
    license,
    description: 'The typed client of Gavel, an auction house backend',
    type: 'module',
    sideEffects: false,
    exports: { '.': { types: './types/client/index.d.ts', default: './gavel-client.js' } },
    imports: { '#shared/*.ts': './types/shared/*.d.ts' },
    dependencies: Object.fromEntries(TYPES_OF.map((name) => [name, dependencies[name]])),
  };
}
