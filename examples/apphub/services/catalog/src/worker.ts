// The ingestion worker: looks at a registered repository and asks for its build.
import { basename } from 'node:path';
import { runWorker } from '@apphub/shared';
import { openArtifacts } from './artifacts.js';
import { openCatalogQueues, type IngestionJob } from './jobs.js';

await runWorker({
  name: 'catalog-worker',
  start: (log) => {
    const queues = openCatalogQueues();
    const artifacts = openArtifacts();
    return async () => {
      const job = await queues.ingestion.take();
      if (!job) return false;
      const previous = await artifacts?.find(job.appId);
      const template = previous?.template ?? guessTemplate(job);
      await queues.states.push({ appId: job.appId, state: 'ingested', detail: `template ${template}` });
      await queues.builds.push({ ...job, template });
      log.info({ appId: job.appId, template }, 'ingested');
      return true;
    };
  },
});

/** Repositories whose name ends in `-job` hold batch programs; all others serve HTTP. */
function guessTemplate({ repository }: IngestionJob): string {
  const name = basename(new URL(repository).pathname, '.git');
  return name.endsWith('-job') ? 'job' : 'web';
}
