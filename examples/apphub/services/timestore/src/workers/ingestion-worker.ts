import { runWorker } from '@apphub/shared';
import { checkNativeBinding } from '../checksum.js';
import { ingestionStep, openBatches } from '../ingestion.js';
import { openPartitions } from '../partitions.js';

await runWorker({
  name: 'timestore-ingestion',
  start: (log) => {
    checkNativeBinding();
    return ingestionStep(openBatches(), openPartitions(), ({ series, points }) => {
      log.info({ series, points: points.length }, 'ingested');
    });
  },
});
