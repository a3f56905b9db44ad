import { createRequire } from 'node:module';
import { xxh64 } from '@node-rs/xxhash';

export function checksum(content: string): string {
  return xxh64(content).toString(16).padStart(16, '0');
}

/** The file of the compiled addon that does the hashing; throws when none was loaded. */
export function nativeBinding(): string {
  const loaded = Object.keys(createRequire(import.meta.url).cache).find((file) => file.endsWith('.node'));
  if (!loaded) throw new Error('no native binding of @node-rs/xxhash was loaded');
  return loaded;
}

/** Throws unless the addon gives the XXH64 of the empty input that its specification lists. */
export function checkNativeBinding(): void {
  nativeBinding();
  if (checksum('') !== 'ef46db3751d8e999') throw new Error('the native binding computes wrong checksums');
}
