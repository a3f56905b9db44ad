export { ConfigError, numberFrom, textFrom, type Environment } from './environment.js';
export { createLogger, loggerOptions, type Logger } from './log.js';
export { startService, type ReadinessCheck, type ServiceOptions } from './service.js';
export { poll, runWorker, type Step, type WorkerOptions } from './worker.js';
