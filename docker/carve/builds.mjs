// `builds` puts into /builds/base and /builds/STAGE what the build of a package can reach, as packs.
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { readJson } from './errors.mjs';
import { list } from './files.mjs';
import { entriesOf, writePack, writePacks } from './packs.mjs';
import { basename, dirname, join, leaves, relative } from './paths.mjs';
import { givenTo, lookup } from './walked.mjs';

const BASE = 'base'; // no stage: these are build-…

/**
 * Gives each stage the part of node_modules that it reaches, so that its files change with its own dependencies only: OUT/base
 * has what the root's own dependencies and types reach, which are every build's, and OUT/STAGE what the stage reaches beside
 * that. A package is one pack, and a hard link to it in all stages but the first.
 */
export function carveBuilds({ tree, plan: planFile, out }) {
  const { packages, stages, lockfile, extended } = readJson(planFile);
  const members = new Set(packages);
  const items = packages.flatMap((path) => [...itemsIn(tree, join(path, 'node_modules'))]);
  const usersOf = stageUsers(tree, items, { members, extended, stages: { [BASE]: { packages: [], extra: [] }, ...stages } });
  const uses = items.map((item) => ({ item, users: usersOf(item) }));
  const lock = lockfile && readFileSync(join(tree, lockfile), 'utf8');
  const packs = new Map();
  for (const name of [BASE, ...Object.keys(stages)]) {
    const mine = uses.filter(({ users }) => users.has(name));
    const own = mine.filter(({ users }) => name === BASE || !users.has(BASE)).map(({ item }) => item);
    const places = new Set(['', ...(stages[name]?.packages ?? []), ...mine.map(({ item }) => item.path)]);
    placeItems(tree, own, { to: join(out, name), packs, files: lock && name !== BASE ? { [lockfile]: lockOf(lock, places) } : {} });
  }
}

/** Puts packs of items into a folder, and one of all links and of files with the given text. */
function placeItems(tree, items, { to, packs, files }) {
  mkdirSync(to, { recursive: true });
  for (const item of items.filter(({ link }) => !link)) {
    const there = packs.get(item);
    if (there) there.forEach((pack) => linkFile(pack, join(to, basename(pack))));
    else packs.set(item, packItem(tree, item, to));
  }
  const links = items.filter(({ link }) => link).map(({ path }) => [path, readlinkSync(join(tree, path))]);
  const texts = Object.entries(files).map(([path, text]) => [path, 0o644, Buffer.byteLength(text)]);
  writePack(to, [...links, ...texts], (path) => Buffer.from(files[path]));
}

/** Packages inside a package are items of their own. */
function packItem(tree, { path, store, made }, to) {
  const inside = join(path, 'node_modules');
  return writePacks(to, entriesOf(tree, path, (place) => store || made || place !== inside), tree);
}

/**
 * A lockfile of these places only. Next.js takes the folder of a lockfile for the workspace's root, Nx reads it: there must be
 * one. Of pnpm's and yarn's, which name no places, the head is kept.
 */
function lockOf(text, paths) {
  if (!text.startsWith('{')) return text.slice(0, text.indexOf('\n\n') + 1);
  const lock = JSON.parse(text);
  const kept = Object.entries(lock.packages).filter(([path]) => paths.has(path));
  return `${JSON.stringify({ ...lock, packages: Object.fromEntries(kept) }, null, 2)}\n`;
}

/**
 * What lies in a node_modules folder, as {path, link} for links, {path, store} for pnpm's (copied: the workspace package that
 * it is for), {path, made} for what a script made beside packages (.prisma). Files beside packages (.package-lock.json,
 * .modules.yaml) tell of the whole installation: no build reads them, and every update changes them.
 */
function* itemsIn(tree, folder) {
  for (const each of list(join(tree, folder))) {
    const path = join(folder, each.name);
    if (each.isSymbolicLink()) yield { path, link: join(folder, readlinkSync(join(tree, path))) };
    else if (each.name === '.pnpm') yield* storeItems(tree, path);
    else if (each.isDirectory() && (each.name === '.bin' || each.name.startsWith('@'))) yield* itemsIn(tree, path);
    else if (each.isDirectory() && each.name.startsWith('.')) yield { path, made: true };
    else if (each.isDirectory()) {
      yield { path };
      yield* itemsIn(tree, join(path, 'node_modules'));
    }
  }
}

/** pnpm's store has a directory per package, with links to its dependencies; they belong together. */
function* storeItems(tree, store) {
  for (const each of list(join(tree, store))) {
    const path = join(store, each.name);
    if (each.name === 'node_modules') yield* itemsIn(tree, path);
    else if (each.isDirectory()) yield { path, store: true, copied: memberIn(tree, join(path, 'node_modules')) };
  }
}

/** The workspace package that a directory of the store has in the place of a copy: a link by its absolute path. */
function memberIn(tree, folder) {
  for (const each of list(join(tree, folder))) {
    const path = join(folder, each.name);
    const link = each.isSymbolicLink() ? readlinkSync(join(tree, path)) : '';
    const found = each.name.startsWith('@') ? memberIn(tree, path) : link.startsWith('/') && relative(tree, link);
    if (found) return found;
  }
  return '';
}

/** item -> the stages that need it. */
function stageUsers(tree, items, { members, extended, stages }) {
  const units = new Map(items.filter(({ link, made }) => !link && !made).map(({ path }) => [path, new Set()]));
  const links = new Map(items.filter(({ link }) => link).map(({ path, link }) => [path, link]));
  const unitOf = (path) => {
    if (path === '.' || units.has(path) || members.has(path)) return path;
    return unitOf(links.get(path) ?? dirname(path)); // a command of a workspace package lies behind the link to it
  };
  const steps = buildSteps(tree, members, extended);
  const types = list(join(tree, 'node_modules/@types')).map(({ name }) => `@types/${name}`); // TypeScript reads all of them
  for (const [stage, { packages, extra, beside = {} }] of Object.entries(stages)) {
    // Of other packages it reads some files, and needs what these load: by name, or (null) all that their package has.
    const loaded = Object.entries(beside).flatMap(([path, names]) => steps(path, names ?? undefined));
    for (const path of reachable(['', ...packages], [...types, ...extra], steps, loaded)) units.get(unitOf(path))?.add(stage);
  }
  const having = (member) => new Set(Object.keys(stages).filter((stage) => stages[stage].packages.includes(member)));
  const loading = (home, name) => new Set(Object.keys(stages).filter((stage) => {
    const { packages, beside = {} } = stages[stage];
    return packages.includes(home) || (home in beside && (beside[home] ?? [name]).includes(name));
  }));
  return ({ path, link, made, copied }) => {
    if (made) return new Set(Object.keys(stages));
    if (copied) return having(copied);
    const home = path.slice(0, path.indexOf('node_modules')).replace(/\/$/, '');
    if (home) return link ? loading(home, path.slice(`${home}/node_modules/`.length)) : units.get(path);
    const target = link ? unitOf(link) : path;
    return members.has(target) ? having(target) : units.get(target) ?? new Set();
  };
}

/** Every installed package that the steps lead to from some packages; workspace packages on the way are not followed. */
function reachable(starts, extra, steps, loaded) {
  const seen = new Set();
  const queue = [...loaded, ...starts.flatMap((path) => [...steps(path), ...steps(path, extra)])];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    queue.push(...steps(path));
  }
  return seen;
}

/** path of a package -> the packages that it finds under the names of its dependencies, or under other names. */
function buildSteps(tree, members, extended = {}) {
  const known = new Map();
  const root = realpathSync(tree);
  const realOf = (place) => relative(root, realpathSync(join(root, place)));
  const found = (path, names) => names.map((name) => lookup(tree, path, name)).filter((place) => place && existsSync(join(tree, place)))
    .map(realOf).filter((real) => !leaves(real) && !members.has(real));
  const look = (path) => {
    const file = join(tree, path, 'package.json');
    const manifest = existsSync(file) ? readJson(file) : {};
    const tables = [manifest.dependencies, manifest.optionalDependencies, manifest.peerDependencies];
    if (members.has(path)) tables.push(manifest.devDependencies);
    return found(path, [...tables.flatMap((table) => Object.keys(table ?? {})), ...givenTo(manifest, extended)]);
  };
  return (path, names) => (names ? found(path, names) : known.get(path) ?? known.set(path, look(path)).get(path));
}

/** A copy where a link cannot be: file systems limit how many a file may have. */
function linkFile(from, to) {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!['EMLINK', 'EPERM', 'EXDEV'].includes(error.code)) throw error;
    copyFileSync(from, to);
  }
}
