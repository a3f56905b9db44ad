// Folders that processes write to: they are in the image, and their user's.
import { chmodSync, existsSync, lchownSync, lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { fail } from './errors.mjs';
import { stamp, walk } from './files.mjs';
import { ancestors, dirname, join } from './paths.mjs';

const OF_ALL = ['/tmp', '/var/tmp', '/dev/shm']; // every base image has them, for every user
const LED_TO = [['/var/run', '/run'], ['/var/lock', '/run/lock']]; // a folder in the place of these links would hide them

/** pairs: [absolute folder, user], a user as in a Dockerfile's USER. */
export function giveFolders(pairs, out) {
  const users = new Map();
  for (const [folder, user] of pairs) {
    const path = placeOf(folder);
    if (!OF_ALL.includes(path)) users.set(path, [...(users.get(path) ?? []), ownerOf(user)]);
  }
  for (const [path, owners] of [...users].sort()) {
    makeFolder(path, owners[0], out);
    give(join(out, path), owners);
  }
}

function placeOf(folder) {
  const [from, to] = LED_TO.find(([link]) => `${folder}/`.startsWith(`${link}/`)) ?? ['', ''];
  return to + folder.slice(from.length);
}

/** Makes the folder and those above it as a base image has them: a copy gives its own mode and owner to what is there. */
function makeFolder(path, owner, out) {
  const above = ancestors(path.slice(1)).map((each) => `/${each}`).filter((each) => !existsSync(join(out, each)));
  mkdirSync(join(out, path), { recursive: true });
  for (const each of above) {
    if (/^\/home\/[^/]+/.test(each)) lchownSync(join(out, each), ...owner);
    stamp(join(out, each), OF_ALL.includes(each) ? 0o1777 : 0o755);
  }
  stampUp(path, out);
}

function stampUp(path, out) {
  const parent = join(out, dirname(path));
  const { mode } = lstatSync(parent);
  stamp(parent, mode & 0o7777);
}

/** All that is in it too: a database that comes along is written to. Several users share it as they would a volume. */
function give(folder, owners) {
  const [owner] = owners;
  const shared = owners.some((each) => each.join() !== owner.join());
  const folders = new Set(walk(folder, () => true).flatMap((file) => [file, ...ancestors(file)]));
  for (const path of [...folders].map((each) => join(folder, each)).concat(folder)) {
    lchownSync(path, ...owner);
    const kind = lstatSync(path);
    if (shared && !kind.isSymbolicLink()) chmodSync(path, kind.isDirectory() ? 0o777 : 0o666);
  }
  stamp(folder, shared ? 0o777 : 0o755);
}

/** [uid, gid] of "1000", "1000:1000", "node" or "node:node"; names are those of the base image of builds. */
function ownerOf(user) {
  const [name, group] = user.split(':');
  const row = /^\d+$/.test(name) ? [name, '', name, name] : entryOf('/etc/passwd', name) ?? unknown(name);
  const uid = Number(row[2]);
  if (group === undefined) return [uid, /^\d+$/.test(name) ? 0 : Number(row[3])];
  return [uid, Number(/^\d+$/.test(group) ? group : (entryOf('/etc/group', group) ?? unknown(group))[2])];
}

const entryOf = (file, name) => readFileSync(file, 'utf8').split('\n').map((line) => line.split(':')).find((row) => row[0] === name);

function unknown(name) {
  return fail(`${name} is no user or group of base.build, so its number is not known; set user = "UID:GID"`);
}
