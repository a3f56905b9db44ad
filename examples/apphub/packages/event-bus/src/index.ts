export { directoryQueue } from './directory-queue.js';
export { memoryQueue } from './memory-queue.js';
export { openQueue, type Queue } from './queue.js';
