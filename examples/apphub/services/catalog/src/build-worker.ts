// The build worker: writes the manifest of a build to the filestore and asks for the launch.
import { runWorker } from '@apphub/shared';
import { openArtifacts } from './artifacts.js';
import { openCatalogQueues } from './jobs.js';

await runWorker({
  name: 'catalog-build-worker',
  start: (log) => {
    const queues = openCatalogQueues();
    const artifacts = openArtifacts();
    return async () => {
      const job = await queues.builds.take();
      if (!job) return false;
      await artifacts?.save(job);
      await queues.states.push({ appId: job.appId, state: 'built' });
      await queues.launches.push({ appId: job.appId, template: job.template });
      log.info({ appId: job.appId, stored: artifacts !== undefined }, 'built');
      return true;
    };
  },
});
