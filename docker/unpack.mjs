// Takes apart the packs of a folder (docker/carve/packs.mjs says what they are) below another folder, and says in a file what
// they hold: a pack's name is the digest of its content.
//
//   node unpack.mjs FROM TO [FILE]
import { appendFileSync, chmodSync, closeSync, futimesSync, mkdirSync, openSync, readFileSync, readdirSync, symlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

const TIME = 946684800; // 2000-01-01T00:00:00Z in seconds: `tsc -b` builds again what is older than package.json files that it looked at

const [from, to, list] = process.argv.slice(2);
const known = new Set();
process.umask(0o022);
const names = readdirSync(from).sort();
for (const name of names) unpack(readFileSync(join(from, name)));
if (list) appendFileSync(list, `${names.join('\n')}\n`);

function unpack(pack) {
  const end = pack.indexOf('\n');
  let start = end + 1;
  for (const [path, what, bytes] of JSON.parse(pack.subarray(0, end).toString())) {
    const place = join(to, path);
    makeFolder(what === undefined ? place : dirname(place));
    if (bytes !== undefined) writeFile(place, what, pack.subarray(start, (start += bytes)));
    else if (what !== undefined) symlinkSync(what, place);
  }
}

function makeFolder(path) {
  if (!known.has(path)) mkdirSync(path, { recursive: true });
  known.add(path);
}

function writeFile(place, mode, bytes) {
  const file = openSync(place, 'w', mode);
  for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
  futimesSync(file, TIME, TIME);
  closeSync(file);
  if (mode & 0o7022) chmodSync(place, mode); // what umask takes away
}
