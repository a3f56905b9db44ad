// Walking, copying and normalising files.
import { createHash } from 'node:crypto';
import {
  chmodSync, closeSync, copyFileSync, lstatSync, lutimesSync, mkdirSync, openSync, readSync, readdirSync, readlinkSync, rmSync,
  rmdirSync, symlinkSync, utimesSync, writeFileSync,
} from 'node:fs';
import { ancestors, compare, dirname, isAbsolute, join, leaves, relative } from './paths.mjs';

const TIME = 946684800; // 2000-01-01T00:00:00Z in seconds
const SPAN = 631152000; // 20 years of them

/** Every file and link below a directory, sorted, as paths relative to it. Pipes, sockets and devices are nothing to ship, or to read. */
export function walk(directory, enters, below = '') {
  return list(join(directory, below)).flatMap((each) => {
    const path = join(below, each.name);
    if (!each.isDirectory()) return ships(each) ? [path] : [];
    return enters(path) ? walk(directory, enters, path) : [];
  });
}

const ships = (kind) => kind.isFile() || kind.isSymbolicLink();

export function list(directory) {
  try {
    return readdirSync(directory, { withFileTypes: true }).sort((a, b) => compare(a.name, b.name));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

/**
 * Brings a directory to its place, in place when it was moved there: what is not kept goes, the rest is normalised.
 * dated: its files have a time each.
 */
export function carveDirectory(job, below = '') {
  const { from, to, keeps, enters } = job;
  const size = { bytes: 0, files: 0, links: 0 };
  if (from !== to) mkdirSync(join(to, below), { recursive: true });
  for (const each of readdirSync(join(from, below), { withFileTypes: true })) {
    const path = join(below, each.name);
    if (!each.isDirectory() && !ships(each)) tellLeft(job, path, each);
    if (each.isDirectory() ? enters(path) : ships(each) && keeps(path)) add(size, carveOne(job, path, each));
    else if (from === to) rmSync(join(to, path), { recursive: true });
  }
  const empty = below && !size.files && !size.links && !readdirSync(join(to, below)).length; // another part may fill it
  if (empty) rmdirSync(join(to, below));
  else stamp(join(to, below), 0o755);
  return size;
}

function carveOne(job, path, kind) {
  if (kind.isDirectory()) return carveDirectory(job, path);
  if (kind.isSymbolicLink()) return carveLink(job, path);
  return carveFile(job, path);
}

function tellLeft({ tree, home }, path, kind) {
  const what = kind.isFIFO() ? 'a named pipe' : kind.isSocket() ? 'a socket' : 'a device';
  console.log(`warning: ${relative(tree, join(home, path))}: ${what}; images hold files, so it is left out`);
}

function carveFile({ from, to, executables, dated }, path) {
  const [source, target] = [join(from, path), join(to, path)];
  const { mode, size } = lstatSync(source);
  const wanted = mode & 0o111 || executables?.has(path) ? 0o755 : 0o644;
  if (source !== target) copyFileSync(source, target); // with its mode
  if ((mode & 0o7777) !== wanted) chmodSync(target, wanted);
  const time = dated && !target.split('/').includes('node_modules') ? timeOf(target) : TIME;
  utimesSync(target, time, time);
  return { bytes: size, files: 1 };
}

/**
 * A time that a file's content gives. Servers (express.static, fastify, koa, sirv) make an ETag of size and time: with one time
 * for all, a browser would be told that an index.html is still the same which names other scripts in as many bytes.
 */
function timeOf(file) {
  const [hash, chunk, opened] = [createHash('sha256'), Buffer.allocUnsafe(1 << 16), openSync(file)];
  for (let size; (size = readSync(opened, chunk));) hash.update(chunk.subarray(0, size));
  closeSync(opened);
  return TIME + hash.digest().readUInt32BE() % SPAN;
}

/** A link that leaves the tree (node-gyp's python3) would dangle in the image. */
function carveLink({ tree, from, to, home }, path) {
  const target = readlinkSync(join(from, path));
  const [here, there] = [dirname(join(home, path)), isAbsolute(target) ? target : join(dirname(join(home, path)), target)];
  rmSync(join(to, path), { force: true });
  if (leaves(relative(tree, there))) return {};
  writeLink(join(to, path), relative(here, there));
  return { links: 1 };
}

function add(size, { bytes = 0, files = 0, links = 0 }) {
  size.bytes += bytes;
  size.files += files;
  size.links += links;
}

export function makeParents(root, path, directories) {
  mkdirSync(join(root, dirname(path)), { recursive: true });
  for (const each of ancestors(path)) directories.add(each);
}

/** Folders of OUT/app, those inside before those around them, and OUT. */
export function stampFolders(out, directories) {
  for (const directory of [...directories].sort().reverse()) stamp(join(out, 'app', directory), 0o755);
  stamp(out, 0o755);
}

export function writeLink(path, target) {
  symlinkSync(target, path);
  lutimesSync(path, TIME, TIME);
}

export function writeStamped(path, text) {
  writeFileSync(path, text);
  stamp(path, 0o644);
}

export function stamp(path, mode, time = TIME) {
  chmodSync(path, mode);
  utimesSync(path, time, time);
}
