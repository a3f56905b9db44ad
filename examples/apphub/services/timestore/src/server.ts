import { poll, startService } from '@apphub/shared';
import { checkNativeBinding } from './checksum.js';
import { ingestionStep, openBatches } from './ingestion.js';
import { openPartitions } from './partitions.js';
import { addRoutes } from './routes.js';

const IDLE_MS = 100;

const batches = openBatches();
const partitions = openPartitions();
const stop = new AbortController();

const app = await startService({
  name: 'timestore-api',
  defaultPort: 4200,
  checks: {
    batches: async () => void (await batches.size()),
    nativeBinding: checkNativeBinding,
  },
  routes: (app) => {
    app.addHook('onClose', async () => stop.abort());
    return addRoutes(app, batches, partitions);
  },
});

// A queue in memory has no other reader: then the API is its own ingestion worker.
if (!process.env.APPHUB_QUEUE_DIR) {
  await poll(ingestionStep(batches, partitions), { idleMs: IDLE_MS, signal: stop.signal, log: app.log });
}
