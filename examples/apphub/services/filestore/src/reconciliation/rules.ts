import { readFile } from 'node:fs/promises';
import type { FileEntry } from '../file-store.js';

interface Rules {
  /** Endings of files that are still being written. */
  readonly ignore: readonly string[];
  readonly largeFileBytes: number;
}

export async function readRules(): Promise<Rules> {
  return JSON.parse(await readFile(new URL('./rules.json', import.meta.url), 'utf8')) as Rules;
}

export type Verdict = 'ignored' | 'large' | 'ok';

export function judge({ path, size }: FileEntry, rules: Rules): Verdict {
  if (rules.ignore.some((ending) => path.endsWith(ending))) return 'ignored';
  return size > rules.largeFileBytes ? 'large' : 'ok';
}
