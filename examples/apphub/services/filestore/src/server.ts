import { startService } from '@apphub/shared';
import { openChanges } from './changes.js';
import { openFileStore } from './file-store.js';
import { addRoutes } from './routes.js';

const files = openFileStore();

await startService({
  name: 'filestore-api',
  defaultPort: 4300,
  checks: { store: async () => void (await files.list('')) },
  routes: (app) => addRoutes(app, files, openChanges()),
});
