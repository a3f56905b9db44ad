import { pino, type Logger, type LoggerOptions } from 'pino';
import { textFrom, type Environment } from './environment.js';

export type { Logger } from 'pino';

/** One JSON object a line on stdout, with the level as a word: {"level":"info",…,"msg":"ready"}. */
export function loggerOptions(name: string, env: Environment = process.env): LoggerOptions {
  return {
    name,
    level: textFrom(env, 'LOG_LEVEL', 'info'),
    base: { pid: process.pid },
    formatters: { level: (label) => ({ level: label }) },
  };
}

export function createLogger(name: string, env: Environment = process.env): Logger {
  return pino(loggerOptions(name, env));
}
