// Layers of what a lockfile does not tell the places of: the installed tree does.
import { lstatSync, readlinkSync } from 'node:fs';
import { fail, readJson } from './errors.mjs';
import { ancestors, basename, compare, dirname, join, leaves } from './paths.mjs';
import { allowed, constrained } from './platforms.mjs';

// Packages that exist to find or compile a native addon (bake/lockfile/lifecycle.py has the same list).
const NATIVE_HELPERS = [
  'bindings', 'detect-libc', 'nan', 'node-addon-api', 'node-gyp-build', 'node-gyp-build-optional-packages', 'prebuild-install',
];

/** The plan's layers with the entries that exactly their services reach in the tree. */
export function walkLayers(tree, { walk, layers }, wanted) {
  const look = looker(tree, walk, wanted);
  const declared = reach(walk.packages, (path) => look(path).filter(({ peer }) => peer !== 'optional'));
  // An optional peer counts where something else brings it into production.
  const counts = ({ peer, entry }) => peer !== 'optional' || declared.has(entry.path);
  const users = new Map();
  for (const [service, start] of Object.entries(walk.services)) {
    for (const entry of reach([start], (path) => look(path).filter(counts)).values()) {
      users.set(entry.path, { entry, services: [...(users.get(entry.path)?.services ?? []), service] });
    }
  }
  const filled = new Map(layers.map((layer) => [layer.id, { ...layer, entries: [] }]));
  for (const { entry, services } of users.values()) {
    for (const { id } of layersFor(services, entry.native, layers)) filled.get(id).entries.push(entry);
  }
  return [...filled.values()];
}

/** Layers that together have exactly these services: one if there is one, else large ones first. Every service has its own. */
function layersFor(services, native, layers) {
  const within = layers.filter((layer) => layer.services.every((each) => services.includes(each)));
  const order = (layer) => [-layer.services.length, Number(layer.native !== native), layer.id];
  const left = new Set(services);
  return within.sort((a, b) => compareAll(order(a), order(b))).filter((layer) => {
    const fitting = layer.services.every((each) => left.has(each));
    if (fitting) for (const each of layer.services) left.delete(each);
    return fitting;
  });
}

function compareAll([head, ...rest], [other, ...others]) {
  return compare(head, other) || (rest.length ? compareAll(rest, others) : 0);
}

/** Everything that steps lead to from some packages: path -> entry. */
function reach(starts, steps) {
  const entries = new Map();
  const seen = new Set(starts);
  const queue = [...starts];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for (const { entry, next } of steps(path)) {
      const known = entries.get(entry.path);
      entries.set(entry.path, known && !known.optional ? known : entry); // optional: to all who have it
      if (!seen.has(next)) queue.push(next);
      seen.add(next);
    }
  }
  return entries;
}

/** path of a package -> what Node finds for its dependencies: [{entry, next, peer}]; read once. */
function looker(tree, { packages, extra = {}, exclude = {}, extended = {} }, wanted) {
  const members = new Set(packages);
  const known = new Map();
  const added = (table, path) => (members.has(path) && table[path]) || [];
  const look = (path) => {
    const manifest = readJson(join(tree, path, 'package.json'));
    const names = namesOf(manifest, added(extra, path), added(exclude, path));
    for (const name of givenTo(manifest, extended)) names.set(name, names.get(name) ?? 'given');
    return [...names].flatMap(([name, kind]) => find(tree, { path, name, kind, members }, wanted));
  };
  return (path) => known.get(path) ?? known.set(path, look(path)).get(path);
}

/** What a package depends on by the lockfile alone: settings and hooks of package managers may add to its package.json. */
export const givenTo = ({ name, version }, extended) => extended[`${name}@${version}`] ?? [];

/** name -> 'needed', 'optional', 'peer' or 'optional peer', as npm weighs them. */
function namesOf({ dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta = {} }, extra, exclude) {
  const names = new Map();
  for (const name of Object.keys(peerDependencies ?? {})) names.set(name, peerDependenciesMeta[name]?.optional ? 'optional peer' : 'peer');
  for (const name of Object.keys(dependencies ?? {})) names.set(name, 'needed');
  for (const name of Object.keys(optionalDependencies ?? {})) names.set(name, 'optional');
  for (const name of extra) names.set(name, 'needed');
  for (const name of exclude) names.delete(name);
  return names;
}

function find(tree, { path, name, kind, members }, wanted) {
  const place = lookup(tree, path, name);
  if (!place) {
    if (kind === 'needed') fail(`${path || 'the root'}: its dependency ${name} is not installed; install again with this lockfile`);
    return [];
  }
  const peer = kind === 'optional peer' ? 'optional' : '';
  if (lstatSync(join(tree, place)).isSymbolicLink()) {
    const next = join(dirname(place), readlinkSync(join(tree, place)));
    if (leaves(next)) fail(`${place}: leads out of the workspace; depend on a package inside it`);
    // Other targets of links than workspace packages (portal:, link:) have no layer of their own.
    const member = [next, ...ancestors(next)].find((each) => members.has(each)); // publishConfig.directory is a folder of one
    if (!member) fail(`${place}: leads to ${next}, which is no workspace package; add it to the workspaces`);
    return [{ entry: { path: place, link: next, native: false }, next: member, peer }];
  }
  const manifest = readJson(join(tree, place, 'package.json'));
  const limits = limitsOf(manifest);
  if (!allowed(limits, wanted)) return [];
  const native = isNative(tree, place, manifest, limits);
  return [{ entry: { path: place, native, optional: kind.startsWith('optional') }, next: place, peer }];
}

/** The platforms that a package says it is for. */
export const limitsOf = (manifest) => Object.fromEntries(['os', 'cpu', 'libc'].map((key) => [key, [manifest[key] ?? []].flat()]));

/** Node's algorithm: node_modules of the package, then of every folder above it. */
export function lookup(tree, path, name) {
  for (let folder = path; ; folder = dirname(folder)) {
    const place = join(folder, 'node_modules', name);
    if (basename(folder) !== 'node_modules' && lstatSync(join(tree, place), { throwIfNoEntry: false })) return place;
    if (folder === '' || folder === '.') return '';
  }
}

export function isNative(tree, path, { scripts = {}, dependencies = {}, optionalDependencies = {} }, limits) {
  return constrained(limits) || NATIVE_HELPERS.some((name) => name in dependencies || name in optionalDependencies)
    || ['preinstall', 'install', 'postinstall'].some((name) => name in scripts)
    || Boolean(lstatSync(join(tree, path, 'binding.gyp'), { throwIfNoEntry: false }));
}
