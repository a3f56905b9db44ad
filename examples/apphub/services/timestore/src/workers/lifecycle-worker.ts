// The lifecycle worker: removes the partitions that are older than TIMESTORE_RETENTION_DAYS.
import { numberFrom, runWorker } from '@apphub/shared';
import { openPartitions } from '../partitions.js';

const DAY_MS = 24 * 60 * 60 * 1000;

await runWorker({
  name: 'timestore-lifecycle',
  start: (log) => {
    const partitions = openPartitions();
    const retentionDays = numberFrom(process.env, 'TIMESTORE_RETENTION_DAYS', 30);
    return async () => {
      const firstDay = new Date(Date.now() - retentionDays * DAY_MS).toISOString().slice(0, 10);
      const removed = await partitions.removeBefore(firstDay);
      if (removed.length > 0) log.info({ removed, firstDay }, 'expired');
      return false;
    };
  },
});
