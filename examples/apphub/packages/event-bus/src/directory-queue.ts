import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Parser, Queue } from './queue.js';

const Envelope = z.object({ queue: z.string(), sentAt: z.iso.datetime(), body: z.unknown() });
const SUFFIX = '.json';
let sequence = 0;

/** One file a message; a rename, which only one process can win, takes it. */
export function directoryQueue<T>(name: string, parser: Parser<T>, directory: string): Queue<T> {
  const folder = join(directory, name);

  async function push(message: T): Promise<void> {
    await mkdir(folder, { recursive: true });
    const envelope = { queue: name, sentAt: new Date().toISOString(), body: parser.parse(message) };
    const file = join(folder, `${sortableId()}${SUFFIX}`);
    // Readers look for the suffix only, so nobody sees half a message.
    await writeFile(`${file}.part`, JSON.stringify(envelope));
    await rename(`${file}.part`, file);
  }

  async function take(): Promise<T | undefined> {
    for (const entry of await waiting(folder)) {
      const claimed = join(folder, `${entry}.${process.pid}`);
      if (!(await renamed(join(folder, entry), claimed))) continue;
      const text = await readFile(claimed, 'utf8');
      await rm(claimed);
      return parser.parse(Envelope.parse(JSON.parse(text)).body);
    }
    return undefined;
  }

  return { push, take, size: async () => (await waiting(folder)).length };
}

function sortableId(): string {
  sequence += 1;
  return [Date.now(), process.pid, sequence].map((part) => String(part).padStart(14, '0')).join('-');
}

async function waiting(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch(emptyWhenMissing);
  return entries.filter((entry) => entry.endsWith(SUFFIX)).sort();
}

function emptyWhenMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

async function renamed(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
