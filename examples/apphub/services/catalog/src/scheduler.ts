// The scheduler: puts the jobs of assets/schedules.json into the ingestion queue when they are due.
import { runWorker } from '@apphub/shared';
import { Cron } from 'croner';
import { readSchedules } from './assets.js';
import { openCatalogQueues } from './jobs.js';

await runWorker({
  name: 'catalog-scheduler',
  start: async (log) => {
    const queues = openCatalogQueues();
    const entries = (await readSchedules()).map(({ name, cron, job }) => {
      const pattern = new Cron(cron, { timezone: 'UTC' });
      return { name, job, pattern, due: pattern.nextRun() };
    });
    return async () => {
      const now = new Date();
      for (const entry of entries) {
        if (!entry.due || entry.due > now) continue;
        await queues.ingestion.push(entry.job);
        entry.due = entry.pattern.nextRun(now);
        log.info({ schedule: entry.name, next: entry.due }, 'scheduled');
      }
      return false;
    };
  },
});
