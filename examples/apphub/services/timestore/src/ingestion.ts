import { openQueue, type Queue } from '@apphub/event-bus';
import type { Environment, Step } from '@apphub/shared';
import type { Partitions } from './partitions.js';
import { PointBatch } from './points.js';

export function openBatches(env: Environment = process.env): Queue<PointBatch> {
  return openQueue('timestore-batches', PointBatch, env.APPHUB_QUEUE_DIR);
}

/** Moves one batch from the queue into the partitions. */
export function ingestionStep(
  batches: Queue<PointBatch>,
  partitions: Partitions,
  done: (batch: PointBatch) => void = () => undefined,
): Step {
  return async () => {
    const batch = await batches.take();
    if (!batch) return false;
    await partitions.append(batch);
    done(batch);
    return true;
  };
}
