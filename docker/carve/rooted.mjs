// Files of an image that is mounted somewhere: its links are of its own root, and lead nowhere else.
import { chmodSync, copyFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { linked } from './binaries.mjs';
import { list, stamp, writeLink } from './files.mjs';
import { dirname, isAbsolute, join } from './paths.mjs';

const MOST_LINKS = 40; // as Linux has it

/** Where a path leads, and the links on the way; undefined when there is nothing. */
export function resolve(root, path) {
  const links = [];
  let [at, rest] = ['', split(path)];
  while (rest.length) {
    const [name, ...more] = rest;
    const here = name === '..' ? parent(at) : join(at, name);
    const kind = lstatSync(join(root, here), { throwIfNoEntry: false });
    if (!kind || links.length > MOST_LINKS) return undefined;
    if (kind.isSymbolicLink()) {
      const target = readlinkSync(join(root, here));
      links.push(here);
      [at, rest] = [isAbsolute(target) ? '' : at, [...split(target), ...more]];
    } else {
      if (more.length && !kind.isDirectory()) return undefined;
      [at, rest] = [here, more];
    }
  }
  return { path: at, links };
}

const split = (path) => path.split('/').filter((name) => name && name !== '.');
const parent = (path) => (path.includes('/') ? dirname(path) : '');

export function readText(root, path) {
  const found = resolve(root, path);
  return found && lstatSync(join(root, found.path)).isFile() ? readFileSync(join(root, found.path), 'utf8') : '';
}

/** Copies of a file, or of a folder with all in it but `leaves`, and of the links that lead there; gives the files' real paths. */
export function take({ base, out, taken }, path, leaves = () => false) {
  const found = resolve(base, path);
  if (!found) return [];
  for (const link of found.links) copyLink({ base, out }, link);
  const kind = lstatSync(join(base, found.path));
  if (kind.isDirectory()) {
    mkdirSync(join(out, found.path), { recursive: true });
    return list(join(base, found.path)).filter(({ name }) => !leaves(name)).flatMap((each) => (
      each.isSymbolicLink() ? copyLink({ base, out }, join(found.path, each.name)) : take({ base, out, taken }, join(found.path, each.name), leaves)));
  }
  if (!kind.isFile() || taken.has(found.path)) return [];
  taken.add(found.path);
  mkdirSync(join(out, dirname(found.path)), { recursive: true });
  copyFileSync(join(base, found.path), join(out, found.path));
  stamp(join(out, found.path), kind.mode & 0o111 ? 0o755 : 0o644); // whoever a setuid file would make it
  return [found.path];
}

export function copyLink({ base, out }, path) {
  if (lstatSync(join(out, path), { throwIfNoEntry: false })) return [];
  mkdirSync(join(out, dirname(path)), { recursive: true });
  writeLink(join(out, path), readlinkSync(join(base, path)));
  return [];
}

/** Every folder gets the time that all files have; what is no folder has it. */
export function stampTree(directory) {
  for (const each of readdirSync(directory, { withFileTypes: true })) if (each.isDirectory()) stampTree(join(directory, each.name));
  stamp(directory, lstatSync(directory).mode & 0o7777);
}

export function makeFolder(out, path, mode) {
  mkdirSync(join(out, path), { recursive: true });
  chmodSync(join(out, path), mode);
}

/** The folders that the loader looks into, without those that a file names itself. Sources: ld.so(8); musl, ldso/dynlink.c. */
export function libraryFolders(root) {
  const musl = list(join(root, 'etc')).filter(({ name }) => /^ld-musl-.*\.path$/.test(name)).map(({ name }) => readText(root, `etc/${name}`));
  const usual = ['lib', 'usr/lib', 'lib64', 'usr/lib64', 'usr/local/lib'];
  const inside = usual.flatMap((folder) => list(join(root, resolve(root, folder)?.path ?? 'absent')).filter(({ name }) => /-linux-/.test(name)).map(({ name }) => `${folder}/${name}`));
  return [...new Set([...configured(root, 'etc/ld.so.conf'), ...musl.flatMap((text) => text.split(/[\n:]/)), ...inside, ...usual])].filter(Boolean);
}

function configured(root, file) {
  return readText(root, file).split('\n').flatMap((line) => {
    const text = line.replace(/#.*/, '').trim();
    const [, pattern] = /^include\s+(\S+)$/.exec(text) ?? [];
    if (!pattern) return text ? [text] : [];
    const folder = dirname(isAbsolute(pattern) ? pattern : join('etc', pattern));
    const names = list(join(root, resolve(root, folder)?.path ?? 'absent')).map(({ name }) => name).filter((name) => name.endsWith('.conf'));
    return names.flatMap((name) => configured(root, `${folder}/${name}`));
  });
}

/** The real path of a library as the loader finds it for a file; '' when it does not. */
export function findLibrary({ base, folders }, name, { path = '', arch, paths = [] }) {
  const own = paths.map((each) => each.replace(/\$(ORIGIN|\{ORIGIN\})/g, `/${dirname(path)}`));
  const places = name.includes('/') ? [name] : [...own, ...folders].map((folder) => join(folder, name));
  for (const place of places) {
    const found = resolve(base, place);
    if (found && lstatSync(join(base, found.path)).isFile() && (linked(base, found.path) ?? {}).arch === arch) return place;
  }
  return '';
}
