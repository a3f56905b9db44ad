// Paths inside the tree, always with slashes.
import { posix } from 'node:path';

export const { basename, dirname, isAbsolute, join, normalize, relative } = posix;

/** "a/b/c" -> "a/b", "a" */
export function ancestors(path) {
  const parent = dirname(path);
  return parent === '.' ? [] : [parent, ...ancestors(parent)];
}

export const leaves = (path) => isAbsolute(path) || normalize(path).split('/')[0] === '..';
/** "@x/y/cli.js" -> "@x/y": the package that a name leads into */
export const packageName = (said) => said.split('/').slice(0, said.startsWith('@') ? 2 : 1).join('/');

export const compare = (a, b) => Number(a > b) - Number(a < b);
export const byPath = (a, b) => compare(a.path, b.path);
export const sorted = (pairs) => Object.fromEntries([...pairs].sort(([a], [b]) => compare(a, b)));
