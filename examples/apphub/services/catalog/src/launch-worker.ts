// The launch worker: turns a launch template into the process that would run.
import { runWorker } from '@apphub/shared';
import { readLaunchTemplates } from './assets.js';
import { openCatalogQueues } from './jobs.js';

await runWorker({
  name: 'catalog-launch-worker',
  start: async (log) => {
    const queues = openCatalogQueues();
    const templates = new Map((await readLaunchTemplates()).map((template) => [template.id, template]));
    return async () => {
      const job = await queues.launches.take();
      if (!job) return false;
      const template = templates.get(job.template);
      await queues.states.push(
        template
          ? { appId: job.appId, state: 'running', detail: template.command.join(' ') }
          : { appId: job.appId, state: 'failed', detail: `no launch template ${job.template}` },
      );
      log.info({ appId: job.appId, template }, template ? 'launched' : 'not launched');
      return true;
    };
  },
});
