// `layers` takes the lock entries of each layer class out of node_modules into /layers/ID/app and writes their sizes to
// /layers/sizes.json. It empties the tree: an entry is moved to the last layer that holds it and copied to the others.
// Moving needs the tree to be made in the same RUN; from an earlier one (an overlay's lower layer, a mount) everything is
// copied, which takes three times as long. Every native binary is compared with the platform before a file is moved; a wrong
// one ends the build, not the container.
import { lstatSync, mkdirSync, readlinkSync, renameSync } from 'node:fs';
import { binary, complainOf, fits } from './binaries.mjs';
import { fail, readJson } from './errors.mjs';
import { carveDirectory, makeParents, stampFolders, walk, writeLink, writeStamped } from './files.mjs';
import { glob } from './glob.mjs';
import { binLinks, hoistedLinks, merged } from './links.mjs';
import { byPath, dirname, isAbsolute, join, leaves, relative, sorted } from './paths.mjs';
import { allowed, constrained } from './platforms.mjs';
import { walkLayers } from './walked.mjs';

export function carveLayers({ tree, plan: planFile, platform, libc, out }) {
  const plan = readJson(planFile);
  const wanted = { platform, libc };
  const layers = plannedLayers(tree, plan, wanted);
  const trimmed = trimmer(plan.trim ?? []);
  const choices = chooseFiles(tree, layers, { trimmed, wanted });
  const entries = layers.flatMap((layer) => layer.entries);
  const bins = merged(binLinks(tree, entries), hoistedLinks(tree, plan.hoisted ?? [], entries));
  const uses = countUses(layers);
  const sizes = layers.map((layer) => [layer.id, carveLayer(layer, { tree, out: join(out, layer.id), choices, bins, uses })]);
  writeStamped(join(out, 'sizes.json'), `${JSON.stringify(sorted(sizes), null, 2)}\n`);
}

/** The plan's layers for a platform, with their entries. */
export function plannedLayers(tree, plan, wanted) {
  const layers = plan.layers.filter((layer) => !layer.libc || layer.libc === wanted.libc);
  const planned = plan.walk ? walkLayers(tree, { ...plan, layers }, wanted) : layers;
  return planned.map((layer) => ({ ...layer, entries: entriesFor(layer.entries, wanted) }));
}

function entriesFor(entries, wanted) {
  const ours = entries.map((entry) => (typeof entry === 'string' ? { path: entry } : entry)).filter((entry) => allowed(entry, wanted));
  for (const { path, link } of ours) {
    for (const inside of [path, link].filter(Boolean)) if (leaves(inside)) fail(`${inside}: not a path inside the tree`);
  }
  return [...new Map(ours.map((entry) => [entry.path, entry])).values()].sort(byPath);
}

/** Entry path -> what of its directory goes into layers, settled before anything moves; absent entries are left out. */
export function chooseFiles(tree, layers, { trimmed, wanted }) {
  const choices = new Map();
  const complaints = [];
  for (const { native, entries } of layers) {
    for (const entry of entries.filter(({ path, link }) => !link && !choices.has(path))) {
      const { choice, complaint, warning } = chooseOf(entry, join(tree, entry.path), { native: entry.native ?? native, trimmed, wanted });
      if (complaint) complaints.push(complaint);
      if (warning) console.log(`warning: ${warning}`);
      if (choice) choices.set(entry.path, choice);
    }
  }
  return complaints.length ? fail(...complaints) : choices;
}

function chooseOf(entry, directory, { native, trimmed, wanted }) {
  if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    const tolerated = entry.optional && !constrained(entry);
    return tolerated ? {} : { complaint: `${entry.path}: not installed for ${wanted.platform}; install again with this lockfile` };
  }
  const keeps = (path) => path === 'package.json' || !trimmed(entry.path, path);
  const binaries = walk(directory, entering(entry)).filter(keeps).flatMap((path) => binary(directory, path));
  const foreign = binaries.filter((each) => !fits(each, wanted));
  if (foreign.length === binaries.length && foreign.some(({ linkable }) => linkable)) {
    if (entry.optional) return { warning: `${complainOf(entry.path, foreign, wanted)}; it is left out, as an optional dependency may be` };
    const place = entry.path.slice(entry.path.lastIndexOf('node_modules/'));
    return { complaint: `${complainOf(entry.path, foreign, wanted)}, or leave it out: layers.trim = ["${place}/**"]` };
  }
  const dropped = new Set(native && foreign.length < binaries.length ? foreign.map(({ path }) => path) : []);
  return { choice: (path) => keeps(path) && !dropped.has(path) };
}

function countUses(layers) {
  const uses = new Map();
  for (const { path } of layers.flatMap((layer) => layer.entries)) uses.set(path, (uses.get(path) ?? 0) + 1);
  return uses;
}

export function carveLayer(layer, { tree, out, choices, bins, uses }) {
  const app = join(out, 'app');
  const directories = new Set(['']);
  const sizes = [];
  mkdirSync(app, { recursive: true });
  for (const entry of layer.entries) {
    const links = bins(entry);
    const last = uses.get(entry.path) === 1;
    uses.set(entry.path, uses.get(entry.path) - 1);
    for (const path of [entry.path, ...links.map((link) => link.path)]) makeParents(app, path, directories);
    if (entry.link) writeLink(join(app, entry.path), targetOf(tree, entry));
    else if (!choices.has(entry.path)) continue;
    sizes.push([entry.path, carveEntry(entry, { tree, app, keeps: choices.get(entry.path), last })]);
    for (const { path, target } of links) writeLink(join(app, path), target);
  }
  stampFolders(out, directories);
  return summary(sizes);
}

/** Where the link of an entry leads: as it was installed, which may be a folder of the package (pnpm's publishConfig.directory). */
function targetOf(tree, { path, link }) {
  const installed = lstatSync(join(tree, path), { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(join(tree, path)) : '';
  const inside = installed && !isAbsolute(installed) && join(dirname(path), installed).startsWith(`${link}/`);
  return relative(dirname(path), inside ? join(dirname(path), installed) : link);
}

function carveEntry(entry, { tree, app, keeps, last }) {
  const { path, link } = entry;
  if (link) return { bytes: 0, files: 0 };
  const [from, to] = [join(tree, path), join(app, path)];
  const source = last && moved(from, to, entry) ? to : from;
  return carveDirectory({ tree, from: source, to, keeps, enters: entering(entry), home: from });
}

/** Moves a package's directory without other entries' node_modules; false when it lies on a lower overlay layer or elsewhere. */
function moved(from, to, { bundled }) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (error.code === 'EXDEV' || error.code === 'EROFS' || error.code === 'EBUSY') return false;
    throw error;
  }
  if (!bundled && lstatSync(join(to, 'node_modules'), { throwIfNoEntry: false })) {
    mkdirSync(from);
    renameSync(join(to, 'node_modules'), join(from, 'node_modules'));
  }
  return true;
}

/** Nested packages are entries of their own, but for those that came in a tarball whose lockfile does not list them. */
const entering = ({ bundled }) => (path) => path !== (bundled ? 'node_modules/.bin' : 'node_modules');

/**
 * A `trim` pattern is matched inside each package's directory; one that begins with node_modules/ names the package, at
 * whatever depth it is installed.
 */
export function trimmer(patterns) {
  const named = glob(patterns.filter((pattern) => pattern.startsWith('node_modules/')));
  const inside = glob(patterns.filter((pattern) => !pattern.startsWith('node_modules/')));
  return (entry, path) => inside(path) || named(`${entry.slice(entry.lastIndexOf('node_modules/'))}/${path}`);
}

function summary(entries) {
  const total = (key) => entries.reduce((sum, [, size]) => sum + size[key], 0);
  return { bytes: total('bytes'), files: total('files'), entries: sorted(entries.map(([path, { bytes }]) => [path, bytes])) };
}
