import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PartitionStorage } from './partitions.js';

const SUFFIX = '.json';

/** One directory a series, one file a day. */
export function directoryStorage(root: string): PartitionStorage {
  const file = (series: string, day: string) => join(root, series, `${day}${SUFFIX}`);
  return {
    read: (series, day) => unlessMissing(readFile(file(series, day), 'utf8'), undefined),
    write: async (series, day, content) => {
      await mkdir(join(root, series), { recursive: true });
      await writeFile(`${file(series, day)}.part`, content);
      await rename(`${file(series, day)}.part`, file(series, day));
    },
    remove: (series, day) => rm(file(series, day), { force: true }),
    series: async () => (await unlessMissing(readdir(root), [])).sort(),
    days: async (series) =>
      (await unlessMissing(readdir(join(root, series)), []))
        .filter((name) => name.endsWith(SUFFIX))
        .map((name) => name.slice(0, -SUFFIX.length))
        .sort(),
  };
}

async function unlessMissing<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise;
    throw error;
  }
}
