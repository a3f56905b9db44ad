import type { Queue } from '@apphub/event-bus';
import type { FastifyInstance } from 'fastify';
import { basename } from 'node:path';
import { nativeBinding } from './checksum.js';
import { metrics } from './metrics.js';
import type { Partitions } from './partitions.js';
import { PointBatch } from './points.js';

interface SeriesRoute {
  Params: { series: string };
}
interface PartitionRoute {
  Params: { series: string; day: string };
}

export async function addRoutes(
  app: FastifyInstance,
  batches: Queue<PointBatch>,
  partitions: Partitions,
): Promise<void> {
  await app.register(metrics);
  app.get('/info', () => ({ checksum: 'xxh64', nativeBinding: basename(nativeBinding()), arch: process.arch }));
  app.post<SeriesRoute>('/series/:series/points', async (request, reply) => {
    const input = PointBatch.safeParse({ series: request.params.series, points: request.body });
    if (!input.success) return reply.code(400).send({ error: input.error.flatten().fieldErrors });
    await batches.push(input.data);
    app.acceptedPoints.inc(input.data.points.length);
    return reply.code(202).send({ accepted: input.data.points.length });
  });
  app.get<SeriesRoute>('/series/:series', async (request) => {
    const series = parsedName(request.params.series);
    return { series, days: series ? await partitions.days(series) : [] };
  });
  app.get<PartitionRoute>('/series/:series/:day', async (request, reply) => {
    const series = parsedName(request.params.series);
    const day = /^\d{4}-\d{2}-\d{2}$/.test(request.params.day) ? request.params.day : undefined;
    const partition = series && day && (await partitions.find(series, day));
    return partition || reply.code(404).send({ error: 'no such partition' });
  });
}

/** Names become paths, so only what the API accepts on writing is looked up. */
function parsedName(name: string): string | undefined {
  return PointBatch.shape.series.safeParse(name).data;
}
