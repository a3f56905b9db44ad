// Source maps, told by what they are: other files are called `.map`, too, and code reads those.
import { readFileSync } from 'node:fs';

/** Whether a file is a source map, which none but those who look for a fault read. */
export function isSourceMap(file) {
  if (!file.endsWith('.map')) return false;
  try {
    const { version, mappings, sections } = JSON.parse(readFileSync(file, 'utf8'));
    return version === 3 && (typeof mappings === 'string' || Array.isArray(sections));
  } catch {
    return false;
  }
}
