import type { Environment } from '@apphub/shared';
import { directoryStore } from './directory-store.js';

export interface FileEntry {
  readonly path: string;
  readonly size: number;
}

/** Files by relative path. */
export interface FileStore {
  write(path: string, content: Buffer): Promise<FileEntry>;
  read(path: string): Promise<Buffer | undefined>;
  remove(path: string): Promise<boolean>;
  list(prefix: string): Promise<readonly FileEntry[]>;
}

/** On disk under FILESTORE_ROOT when that is set, else in memory. */
export function openFileStore(env: Environment = process.env): FileStore {
  return env.FILESTORE_ROOT ? directoryStore(env.FILESTORE_ROOT) : memoryStore();
}

export function memoryStore(): FileStore {
  const files = new Map<string, Buffer>();
  return {
    write: async (path, content) => {
      files.set(path, content);
      return { path, size: content.length };
    },
    read: async (path) => files.get(path),
    remove: async (path) => files.delete(path),
    list: async (prefix) =>
      [...files]
        .filter(([path]) => path.startsWith(prefix))
        .map(([path, content]) => ({ path, size: content.length }))
        .sort((a, b) => a.path.localeCompare(b.path)),
  };
}
