import { poll, startService } from '@apphub/shared';
import { AppRegistry } from './apps.js';
import { openArtifacts } from './artifacts.js';
import { readLaunchTemplates } from './assets.js';
import { openCatalogQueues } from './jobs.js';
import { addRoutes } from './routes.js';

const STATE_POLL_MS = 500;

const apps = new AppRegistry();
const queues = openCatalogQueues();
const templates = await readLaunchTemplates();
const stop = new AbortController();

const app = await startService({
  name: 'catalog-api',
  defaultPort: 4000,
  checks: { queues: async () => void (await queues.ingestion.size()) },
  routes: async (app) => {
    app.addHook('onClose', async () => stop.abort());
    await addRoutes(app, { apps, queues, templates, artifacts: openArtifacts() });
  },
});

await poll(applyNextState, { idleMs: STATE_POLL_MS, signal: stop.signal, log: app.log });

async function applyNextState(): Promise<boolean> {
  const change = await queues.states.take();
  if (change) apps.apply(change);
  return change !== undefined;
}
