import type { Environment } from '@apphub/shared';
import { checksum } from './checksum.js';
import { directoryStorage } from './directory-storage.js';
import { dayOf, type Point, type PointBatch } from './points.js';

/** Text by series and day. */
export interface PartitionStorage {
  read(series: string, day: string): Promise<string | undefined>;
  write(series: string, day: string, content: string): Promise<void>;
  remove(series: string, day: string): Promise<void>;
  series(): Promise<readonly string[]>;
  days(series: string): Promise<readonly string[]>;
}

export interface Partition {
  readonly day: string;
  readonly points: readonly Point[];
  readonly checksum: string;
}

/** The points of every series, a partition a day. */
export class Partitions {
  readonly #storage: PartitionStorage;

  constructor(storage: PartitionStorage) {
    this.#storage = storage;
  }

  async append({ series, points }: PointBatch): Promise<void> {
    for (const day of new Set(points.map(dayOf))) {
      const known = (await this.find(series, day))?.points ?? [];
      const added = points.filter((point) => dayOf(point) === day);
      const all = [...known, ...added].sort((a, b) => a.at.localeCompare(b.at));
      const body = JSON.stringify(all);
      await this.#storage.write(series, day, JSON.stringify({ checksum: checksum(body), body }));
    }
  }

  /** Throws when the content does not fit its checksum. */
  async find(series: string, day: string): Promise<Partition | undefined> {
    const text = await this.#storage.read(series, day);
    if (text === undefined) return undefined;
    const stored = JSON.parse(text) as { checksum: string; body: string };
    if (checksum(stored.body) !== stored.checksum) throw new Error(`${series}/${day}: checksum mismatch`);
    return { day, checksum: stored.checksum, points: JSON.parse(stored.body) as Point[] };
  }

  days(series: string): Promise<readonly string[]> {
    return this.#storage.days(series);
  }

  /** Removes the partitions of days before `firstDay` and says which they were. */
  async removeBefore(firstDay: string): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const series of await this.#storage.series()) {
      for (const day of (await this.#storage.days(series)).filter((day) => day < firstDay)) {
        await this.#storage.remove(series, day);
        removed.push(`${series}/${day}`);
      }
    }
    return removed;
  }
}

/** On disk under TIMESTORE_ROOT when that is set, else in memory. */
export function openPartitions(env: Environment = process.env): Partitions {
  return new Partitions(env.TIMESTORE_ROOT ? directoryStorage(env.TIMESTORE_ROOT) : memoryStorage());
}

function memoryStorage(): PartitionStorage {
  const contents = new Map<string, Map<string, string>>();
  return {
    read: async (series, day) => contents.get(series)?.get(day),
    write: async (series, day, content) => {
      contents.set(series, (contents.get(series) ?? new Map<string, string>()).set(day, content));
    },
    remove: async (series, day) => void contents.get(series)?.delete(day),
    series: async () => [...contents.keys()].sort(),
    days: async (series) => [...(contents.get(series)?.keys() ?? [])].sort(),
  };
}
