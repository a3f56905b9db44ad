import type { Parser, Queue } from './queue.js';

const queues = new Map<string, unknown[]>();

/** All queues of one name in a process are the same queue. */
export function memoryQueue<T>(name: string, parser: Parser<T>): Queue<T> {
  const messages = queues.get(name) ?? [];
  queues.set(name, messages);
  return {
    push: async (message) => void messages.push(parser.parse(message)),
    take: async () => (messages.length > 0 ? parser.parse(messages.shift()) : undefined),
    size: async () => messages.length,
  };
}
