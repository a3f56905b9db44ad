import { directoryQueue } from './directory-queue.js';
import { memoryQueue } from './memory-queue.js';

/** First in, first out; every message is taken once. A message whose taker dies is lost. */
export interface Queue<T> {
  push(message: T): Promise<void>;
  take(): Promise<T | undefined>;
  size(): Promise<number>;
}

/** Anything that turns unknown input into a T or throws: a zod schema of any version, for one. */
export interface Parser<T> {
  parse(value: unknown): T;
}

/** A queue in `directory` when one is given, which other processes may share; else in this process's memory. */
export function openQueue<T>(name: string, parser: Parser<T>, directory: string | undefined): Queue<T> {
  return directory ? directoryQueue(name, parser, directory) : memoryQueue(name, parser);
}
