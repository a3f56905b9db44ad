import { openQueue, type Queue } from '@apphub/event-bus';
import type { Environment } from '@apphub/shared';

export interface FileChange {
  readonly path: string;
  readonly kind: 'written' | 'removed';
}

/** What the API did, for the reconciliation worker. */
export function openChanges(env: Environment = process.env): Queue<FileChange> {
  return openQueue('filestore-changes', { parse: parseChange }, env.APPHUB_QUEUE_DIR);
}

function parseChange(value: unknown): FileChange {
  const { path, kind } = value as Partial<FileChange>;
  if (typeof path === 'string' && (kind === 'written' || kind === 'removed')) return { path, kind };
  throw new TypeError('not a file change');
}
