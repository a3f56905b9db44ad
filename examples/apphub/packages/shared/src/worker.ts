import { setTimeout as sleep } from 'node:timers/promises';
import { numberFrom, type Environment } from './environment.js';
import { createLogger, type Logger } from './log.js';

/** One piece of work. True means there may be more at once; false means nothing to do for now. */
export type Step = (signal: AbortSignal) => Promise<boolean>;

export interface WorkerOptions {
  readonly name: string;
  /** Makes the step; runs once, before the worker says that it is ready. */
  readonly start: (log: Logger) => Step | Promise<Step>;
  readonly env?: Environment;
}

/** Repeats a step until SIGTERM or SIGINT, lets the one under way finish, and returns. */
export async function runWorker({ name, start, env = process.env }: WorkerOptions): Promise<void> {
  const idleMs = numberFrom(env, 'WORKER_IDLE_MS', 1000);
  const log = createLogger(name, env);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'stopping');
      stop.abort();
    });
  }
  const step = await start(log);
  log.info({ idleMs }, 'ready');
  await poll(step, { idleMs, signal: stop.signal, log });
  log.info('stopped');
}

/** The loop under every worker. A step that throws is logged and tried again after the pause. */
export async function poll(
  step: Step,
  { idleMs, signal, log }: { idleMs: number; signal: AbortSignal; log: Pick<Logger, 'error'> },
): Promise<void> {
  while (!signal.aborted) {
    const more = await step(signal).catch((error: unknown) => {
      log.error({ err: error }, 'step failed');
      return false;
    });
    if (!more) await sleep(idleMs, undefined, { signal }).catch(() => undefined);
  }
}
