import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { z } from 'zod';
import type { AppRegistry } from './apps.js';
import type { Artifacts } from './artifacts.js';
import type { LaunchTemplate } from './assets.js';
import { IngestionJob, type CatalogQueues } from './jobs.js';

export interface CatalogParts {
  readonly apps: AppRegistry;
  readonly queues: CatalogQueues;
  readonly templates: readonly LaunchTemplate[];
  readonly artifacts: Artifacts | undefined;
}

const Registration = z.object({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  repository: IngestionJob.shape.repository,
});
const LaunchRequest = z.object({ template: z.string() });
interface AppRoute {
  Params: { id: string };
}

export async function addRoutes(app: FastifyInstance, parts: CatalogParts): Promise<void> {
  await app.register(cors);
  addAppRoutes(app, parts);
  addLaunchRoutes(app, parts);
  addMetrics(app, parts.queues);
}

function addAppRoutes(app: FastifyInstance, { apps, queues, artifacts }: CatalogParts): void {
  app.get('/apps', () => ({ apps: apps.list() }));
  app.post('/apps', async (request, reply) => {
    const input = Registration.safeParse(request.body);
    if (!input.success) return reply.code(400).send({ error: z.prettifyError(input.error) });
    const registered = apps.register(input.data.id, input.data.repository);
    await queues.ingestion.push({ appId: registered.id, repository: registered.repository });
    return reply.code(202).send(registered);
  });
  app.get<AppRoute>('/apps/:id', (request, reply) => {
    return apps.find(request.params.id) ?? reply.code(404).send({ error: 'no such application' });
  });
  app.get<AppRoute>('/apps/:id/build', async (request, reply) => {
    const manifest = await artifacts?.find(request.params.id);
    return manifest ?? reply.code(404).send({ error: 'no build of this application' });
  });
}

function addLaunchRoutes(app: FastifyInstance, { apps, queues, templates }: CatalogParts): void {
  app.get('/launch-templates', () => ({ templates }));
  app.post<AppRoute>('/apps/:id/launches', async (request, reply) => {
    const appId = request.params.id;
    const input = LaunchRequest.safeParse(request.body);
    const template = input.success ? input.data.template : undefined;
    if (!apps.find(appId)) return reply.code(404).send({ error: 'no such application' });
    if (!template || !templates.some(({ id }) => id === template)) {
      return reply.code(400).send({ error: `template: one of ${templates.map(({ id }) => id).join(', ')}` });
    }
    await queues.launches.push({ appId, template });
    return reply.code(202).send({ appId, template });
  });
}

function addMetrics(app: FastifyInstance, queues: CatalogQueues): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'catalog_queue_messages',
    help: 'Messages that wait in a queue',
    labelNames: ['queue'],
    registers: [registry],
    async collect() {
      for (const [queue, { size }] of Object.entries(queues)) this.set({ queue }, await size());
    },
  });
  app.get('/metrics', async (_request, reply) => {
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
