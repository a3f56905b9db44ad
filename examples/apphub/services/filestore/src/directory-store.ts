import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { FileEntry, FileStore } from './file-store.js';

/** Keeps files under `root`; callers pass paths that `parsePath` made. */
export function directoryStore(root: string): FileStore {
  return {
    write: async (path, content) => {
      const target = join(root, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content);
      return { path, size: content.length };
    },
    read: (path) => whenPresent(readFile(join(root, path))),
    remove: async (path) => (await whenPresent(rm(join(root, path)).then(() => true))) ?? false,
    list: (prefix) => listFiles(root, prefix),
  };
}

async function listFiles(root: string, prefix: string): Promise<readonly FileEntry[]> {
  const entries = (await whenPresent(readdir(root, { recursive: true, withFileTypes: true }))) ?? [];
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => path.startsWith(prefix))
    .sort();
  return Promise.all(paths.map(async (path) => ({ path, size: (await stat(join(root, path))).size })));
}

async function whenPresent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EISDIR' || code === 'ERR_FS_EISDIR') return undefined;
    throw error;
  }
}
