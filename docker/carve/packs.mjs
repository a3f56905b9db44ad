// Packs: many small files as one. BuildKit reads, hashes and copies a file at a time; of a pack it does so once.
//
// A pack is a line of JSON, [[PATH, MODE, BYTES] for a file | [PATH, TARGET] for a link | [PATH] for an empty folder, …], and
// after it the bytes of its files. No times: unpack.mjs, which takes packs apart, gives every file the same.
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readFileSync, readlinkSync, renameSync, writeSync } from 'node:fs';
import { list } from './files.mjs';
import { join } from './paths.mjs';

const MOST = 2 ** 28; // bytes of a pack, which is read as a whole; a larger file has a pack of its own

/** What lies at a path of the tree, as entries of a pack; folders that `enters` refuses are left out. */
export function* entriesOf(tree, path, enters = () => true) {
  const inside = list(join(tree, path));
  if (!inside.length) yield [path];
  for (const each of inside) {
    const place = join(path, each.name);
    if (each.isSymbolicLink()) yield [place, readlinkSync(join(tree, place))];
    else if (each.isFile()) yield fileEntry(tree, place);
    else if (each.isDirectory() && enters(place)) yield* entriesOf(tree, place, enters);
  }
}

function fileEntry(tree, path) {
  const { mode, size } = lstatSync(join(tree, path));
  return [path, mode & 0o7777, size];
}

/** Writes files of the tree, links and folders into as few packs as hold them; the packs' paths. */
export function writePacks(folder, entries, tree, most = MOST) {
  return parts([...entries], most).map((part) => writePack(folder, part, (path) => readFileSync(join(tree, path))));
}

/** Writes one pack, which the digest of its content names; `read` gives the bytes of its files. */
export function writePack(folder, entries, read) {
  const hash = createHash('sha256');
  const begun = join(folder, 'begun');
  const pack = openSync(begun, 'w');
  const write = (bytes) => writeWhole(pack, bytes) ?? hash.update(bytes);
  write(Buffer.from(`${JSON.stringify(entries)}\n`));
  for (const [path, , bytes] of entries) if (bytes !== undefined) write(read(path));
  closeSync(pack);
  const file = join(folder, hash.digest('hex').slice(0, 32));
  renameSync(begun, file);
  return file;
}

function writeWhole(pack, bytes) {
  for (let done = 0; done < bytes.length;) done += writeSync(pack, bytes, done);
}

function parts(entries, most) {
  const found = [];
  let room = -1;
  for (const entry of entries) {
    const bytes = entry[2] ?? 0;
    if (bytes > room) {
      found.push([]);
      room = most;
    }
    found.at(-1).push(entry);
    room -= bytes;
  }
  return found;
}
