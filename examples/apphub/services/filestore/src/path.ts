import { posix } from 'node:path';

/** The path in its shortest form, or undefined when it is empty or would leave the store. */
export function parsePath(text: string): string | undefined {
  const path = posix.normalize(text).replace(/\/+$/, '');
  const outside = path === '..' || path.startsWith('../') || path.startsWith('/') || path.includes('\0');
  return path === '.' || path === '' || outside ? undefined : path;
}
