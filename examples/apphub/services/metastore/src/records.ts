export interface RecordInput {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
}

export interface StoredRecord extends RecordInput {
  readonly namespace: string;
  readonly key: string;
  /** Starts at 1 and grows by one with every write. */
  readonly version: number;
}

/** Records by namespace and key, in memory. */
export class RecordStore {
  readonly #namespaces = new Map<string, Map<string, StoredRecord>>();

  put(namespace: string, key: string, input: RecordInput): StoredRecord {
    const records = this.#namespaces.get(namespace) ?? new Map<string, StoredRecord>();
    this.#namespaces.set(namespace, records);
    const version = (records.get(key)?.version ?? 0) + 1;
    const record = { namespace, key, version, ...input };
    records.set(key, record);
    return record;
  }

  find(namespace: string, key: string): StoredRecord | undefined {
    return this.#namespaces.get(namespace)?.get(key);
  }

  list(namespace: string, tag: string | undefined): readonly StoredRecord[] {
    const records = [...(this.#namespaces.get(namespace)?.values() ?? [])];
    return tag === undefined ? records : records.filter(({ tags }) => tags.includes(tag));
  }

  remove(namespace: string, key: string): boolean {
    return this.#namespaces.get(namespace)?.delete(key) ?? false;
  }
}
