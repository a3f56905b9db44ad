// Mistakes of a plan, a tree or a build, and the files that tell of them.
import { readFileSync } from 'node:fs';

/** A mistake in the plan, the tree or the build: shown without a stack. */
export class CarveError extends Error {}

export function fail(...lines) {
  throw new CarveError(lines.join('\n'));
}

export function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return fail(error.syscall ? error.message : `${file}: not JSON: ${error.message}`);
  }
}
