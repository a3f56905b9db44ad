import Fastify, { type FastifyInstance } from 'fastify';
import { numberFrom, textFrom, type Environment } from './environment.js';
import { loggerOptions } from './log.js';

/** Resolves when the dependency is usable; throws the reason when it is not. */
export type ReadinessCheck = () => void | Promise<void>;

export interface ServiceOptions {
  readonly name: string;
  readonly defaultPort: number;
  /** Adds the service's own routes. */
  readonly routes: (app: FastifyInstance) => void | Promise<void>;
  readonly checks?: Readonly<Record<string, ReadinessCheck>>;
  readonly env?: Environment;
}

/** Starts an API with health endpoints; SIGTERM or SIGINT closes it, and the process then ends by itself. */
export async function startService(options: ServiceOptions): Promise<FastifyInstance> {
  const { name, defaultPort, routes, checks = {}, env = process.env } = options;
  const port = numberFrom(env, 'PORT', defaultPort);
  const host = textFrom(env, 'HOST', '0.0.0.0');
  const app = Fastify({ logger: loggerOptions(name, env) });
  closeOnSignal(app);
  addHealthRoutes(app, name, checks);
  await routes(app);
  await app.listen({ host, port });
  app.log.info({ host, port }, 'ready');
  return app;
}

function closeOnSignal(app: FastifyInstance): void {
  const close = (signal: NodeJS.Signals) => {
    app.log.info({ signal }, 'stopping');
    void app.close().then(() => app.log.info('stopped'));
  };
  process.once('SIGTERM', close);
  process.once('SIGINT', close);
}

function addHealthRoutes(
  app: FastifyInstance,
  service: string,
  checks: Readonly<Record<string, ReadinessCheck>>,
): void {
  app.get('/healthz', { logLevel: 'warn' }, () => ({ status: 'ok', service }));
  app.get('/readyz', { logLevel: 'warn' }, async (_request, reply) => {
    const results = await Promise.all(Object.entries(checks).map(([key, check]) => outcome(key, check)));
    const ready = results.every(([, result]) => result === 'ok');
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ready' : 'unready', service, checks: Object.fromEntries(results) });
  });
}

async function outcome(key: string, check: ReadinessCheck): Promise<[string, string]> {
  try {
    await check();
    return [key, 'ok'];
  } catch (error) {
    return [key, error instanceof Error ? error.message : String(error)];
  }
}
