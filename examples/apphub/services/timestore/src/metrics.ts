import fp from 'fastify-plugin';
import { collectDefaultMetrics, Counter, Registry } from 'prom-client';

declare module 'fastify' {
  interface FastifyInstance {
    acceptedPoints: Counter;
  }
}

/** Adds GET /metrics and the counter of accepted points. */
export const metrics = fp(
  async (app) => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const help = 'Points that the API accepted';
    app.decorate('acceptedPoints', new Counter({ name: 'timestore_points_total', help, registers: [registry] }));
    app.get('/metrics', async (_request, reply) => {
      return reply.type(registry.contentType).send(await registry.metrics());
    });
  },
  { name: 'metrics' },
);
