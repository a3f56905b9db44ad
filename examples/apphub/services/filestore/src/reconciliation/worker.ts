// The reconciliation worker: compares what the API says it did with what the store holds.
import { runWorker } from '@apphub/shared';
import { openChanges } from '../changes.js';
import { openFileStore } from '../file-store.js';
import { judge, readRules } from './rules.js';

await runWorker({
  name: 'filestore-reconciliation',
  start: async (log) => {
    const changes = openChanges();
    const files = openFileStore();
    const rules = await readRules();
    return async () => {
      const change = await changes.take();
      if (!change) return false;
      const entry = (await files.list(change.path)).find(({ path }) => path === change.path);
      const consistent = (entry !== undefined) === (change.kind === 'written');
      log.info({ ...change, consistent, verdict: entry && judge(entry, rules) }, 'reconciled');
      return true;
    };
  },
});
