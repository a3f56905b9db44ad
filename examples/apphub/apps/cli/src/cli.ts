import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { FilestoreClient } from '@apphub/filestore-client';
import { Command } from 'commander';
import { CatalogClient } from './catalog-client.js';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
const CATALOG_URL = process.env.APPHUB_API_URL ?? 'http://localhost:4000';
const FILESTORE_URL = process.env.FILESTORE_URL ?? 'http://localhost:4300';

const program = new Command('apphub')
  .description('Work with an AppHub from the command line')
  .version(version)
  .option('--api <url>', 'the catalog API (APPHUB_API_URL)', CATALOG_URL)
  .option('--filestore <url>', 'the filestore API (FILESTORE_URL)', FILESTORE_URL);
const catalog = () => new CatalogClient(program.opts<{ api: string }>().api);
const filestore = () => new FilestoreClient(program.opts<{ filestore: string }>().filestore);

program
  .command('health')
  .description('say whether the catalog is ready')
  .action(async () => print(await catalog().readiness()));

const apps = program.command('apps').description('applications');
apps
  .command('list')
  .description('list the registered applications')
  .action(async () => print(await catalog().list()));
apps
  .command('register <id> <repository>')
  .description('register an application by the URL of its repository')
  .action(async (id: string, repository: string) => print(await catalog().register(id, repository)));

const files = program.command('files').description('files in the filestore');
files
  .command('list [prefix]')
  .description('list the files whose path starts with the prefix')
  .action(async (prefix?: string) => print(await filestore().list(prefix)));
files
  .command('put <file> [path]')
  .description('store a file')
  .action(async (file: string, path?: string) => {
    const content = new Uint8Array(await readFile(file));
    print(await filestore().put(path ?? basename(file), content));
  });

try {
  await program.parseAsync();
} catch (error) {
  const reason = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  console.error(`apphub: ${error instanceof Error ? error.message : String(error)}${reason}`);
  process.exitCode = 1;
}

function print(value: unknown): void {
  console.log(JSON.stringify(value, undefined, 2));
}
