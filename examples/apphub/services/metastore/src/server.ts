import { readFile } from 'node:fs/promises';
import { startService } from '@apphub/shared';
import { RecordStore } from './records.js';
import { addRoutes } from './routes.js';

const schemaFile = new URL('../assets/record.schema.json', import.meta.url);
const bodySchema = JSON.parse(await readFile(schemaFile, 'utf8')) as object;

await startService({
  name: 'metastore-api',
  defaultPort: 4100,
  routes: (app) => addRoutes(app, new RecordStore(), bodySchema),
});
