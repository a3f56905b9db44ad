// `trace` follows the processes of a service: OUT/code/IMAGE/GROUP gets what each image needs of the workspace's packages,
// OUT/needs/SERVICE.json says what it needs of installed ones, OUT/report/SERVICE.json what that leaves out. `pick` takes
// these out of the node_modules of a platform, into OUT/IMAGE/LAYER. Layers are cut as the plan says, not by what all
// images turn out to need: so an image depends on its own code only, and equal parts have equal digests all the same.
import { copyFileSync, existsSync, lchownSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, rmdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { readJson } from './errors.mjs';
import { stamp, walk, writeLink, writeStamped } from './files.mjs';
import { carveLayer, chooseFiles, plannedLayers, trimmer } from './layers.mjs';
import { binLinks, hoistedLinks, merged } from './links.mjs';
import { byPath, join, relative, sorted } from './paths.mjs';
import { constrained } from './platforms.mjs';
import { needsOf } from './upper.mjs';
import { limitsOf, lookup } from './walked.mjs';

const CODE = /\.[cm]?[jt]sx?(?:\.map)?$/;

export async function traceService({ tree, spec: specFile, outs, out, tracer }) {
  const spec = readJson(specFile);
  const parts = Object.entries(spec.parts).map(([name, part]) => ({ ...part, from: join(outs, name) }));
  for (const { from } of parts) copyLike(join(from, 'app'), tree, () => true);
  const needs = await needsOf({ tree, tools: tracer, spec });
  const images = sorted(Object.entries(needs).map(([image, need]) => {
    for (const part of parts) copyLike(part.from, join(out, 'code', image, part.group), codeOf(part, need, spec));
    const members = parts.filter(({ path }) => [...need.code].some((file) => file.startsWith(path && `${path}/`))).map(({ path }) => path);
    return [image, need.everything ? { everything: true, members: parts.map(({ path }) => path) } : { places: need.places, members }];
  }));
  const labels = sorted([...new Set(Object.values(needs).flatMap(({ places }) => Object.keys(places)))].map((place) => [place, labelOf(tree, place)]));
  for (const folder of ['needs', 'report']) mkdirSync(join(out, folder), { recursive: true });
  writeStamped(join(out, 'needs', `${spec.service}.json`), `${JSON.stringify({ images, labels })}\n`);
  writeStamped(join(out, 'report', `${spec.service}.json`), `${JSON.stringify(reportOf(tree, needs, spec, parts))}\n`);
}

const belowOf = (path) => (path ? `app/${path}/` : 'app/');

/** A test for a package's files: what the trace found, and what is no code, or lies where no code was found. */
function codeOf({ path, served }, { code, everything }, { home }) {
  if (everything || served) return () => true;
  const below = belowOf(path);
  const own = [...code].map((each) => `app/${each}`).filter((each) => each.startsWith(below));
  const rootOf = (file) => file.slice(below.length).split('/').slice(0, -1)[0] ?? ''; // the folder at the top that it lies in
  const roots = new Set(own.filter((each) => CODE.test(each)).map(rootOf));
  if (!own.length && path !== home) return () => false;
  const found = new Set(own);
  return (file) => {
    const inside = file.slice(below.length);
    const beside = !file.startsWith(below) || !CODE.test(file) || !roots.has(rootOf(file));
    return beside || found.has(file) || inside === 'package.json' || found.has(file.replace(/\.map$/, ''));
  };
}

function labelOf(tree, place) {
  const file = join(tree, place, 'package.json');
  const { name = '', version = '' } = existsSync(file) ? readJson(file) : {};
  return `${name}@${version}`;
}

/** Copies a tree with owners, modes and times. A folder of which nothing is kept goes, an empty one is there to be written to. */
export function copyLike(from, to, keeps, below = '') {
  const inside = existsSync(join(from, below)) ? readdirSync(join(from, below), { withFileTypes: true }) : [];
  mkdirSync(join(to, below), { recursive: true });
  let kept = !inside.length;
  for (const each of inside) {
    const path = join(below, each.name);
    if (each.isDirectory()) kept = copyLike(from, to, keeps, path) || kept;
    else if (keeps(path)) {
      copyOne(join(from, path), join(to, path), each);
      kept = true;
    }
  }
  if (kept || !below) likeness(join(from, below), join(to, below));
  else if (!readdirSync(join(to, below)).length) rmdirSync(join(to, below)); // another tree may have filled it
  return kept;
}

function copyOne(from, to, kind) {
  rmSync(to, { force: true });
  if (kind.isSymbolicLink()) writeLink(to, readlinkSync(from));
  else copyFileSync(from, to);
  likeness(from, to);
}

function likeness(from, to) {
  const { uid, gid, mode, mtimeMs } = lstatSync(from, { throwIfNoEntry: false }) ?? { uid: 0, gid: 0, mode: 0o755 };
  const kind = lstatSync(to);
  if (kind.uid !== uid || kind.gid !== gid) lchownSync(to, uid, gid);
  if (!kind.isSymbolicLink()) stamp(to, mode & 0o7777, mtimeMs && mtimeMs / 1000);
}

// --- what tracing leaves out ---------------------------------------------------------------------------------------------

/** image -> the packages of its closure: bytes before and after, why one stays whole, and the files that are left out. */
function reportOf(tree, needs, spec, parts) {
  const trimmed = trimmer(spec.trim);
  const measured = new Map();
  const entries = plannedLayers(tree, spec, spec).flatMap((layer) => layer.entries).filter(({ link, path }) => !link && existsSync(join(tree, path)));
  const packages = [...new Map(entries.map((entry) => [entry.path, entry])).values()].sort(byPath).map(({ path: place }) => {
    const files = walk(join(tree, place), (path) => path !== 'node_modules').filter((path) => path === 'package.json' || !trimmed(place, path));
    return { place, files, label: labelOf(tree, place) };
  });
  const own = parts.map((part) => ({ ...part, files: walk(part.from, () => true).filter((file) => file.startsWith(belowOf(part.path))) }));
  return sorted(Object.entries(needs).map(([image, need]) => [image, [...own.map((part) => ownReport(part, need, spec, measured)), ...packages.map(({ place, files, label }) => {
    const needed = need.everything || need.places[place];
    const wanted = new Set(needed === true ? files : needed ? ['package.json', ...needed] : []);
    return rowOf({ tree, place, files, keeps: (path) => wanted.has(path), measured }, { label, why: need.why[place] });
  })]]));
}

/** A package of the workspace, likewise. */
function ownReport({ from, path, ...part }, need, spec, measured) {
  const below = belowOf(path);
  const keeps = codeOf({ path, ...part }, need, spec);
  const files = part.files.map((file) => file.slice(below.length));
  const row = rowOf({ tree: join(from, 'app'), place: path, files, keeps: (file) => keeps(below + file), measured }, { label: path || '.', why: need.why[`/${path}`] });
  return { ...row, place: path || '.' };
}

function rowOf({ tree, place, files, keeps, measured }, { label, why = '' }) {
  const [kept, left] = [files.filter(keeps), files.filter((file) => !keeps(file))];
  return {
    place, label, why, left: kept.length ? left : ['**'],
    all: measure(tree, place, files, measured), kept: measure(tree, place, kept, measured),
  };
}

/** Bytes of files, and as gzip. */
function measure(tree, place, files, known) {
  const key = [tree, place, ...files].join('\0');
  if (!known.has(key)) {
    const paths = files.map((path) => join(tree, place, path)).filter((path) => lstatSync(path).isFile());
    const content = Buffer.concat(paths.map((path) => readFileSync(path)));
    known.set(key, { bytes: content.length, stored: files.length ? gzipSync(content).length : 0 });
  }
  return known.get(key);
}

// --- installed packages --------------------------------------------------------------------------------------------------

export function pickFiles({ tree, spec: specFile, needs: needsFile, platform, libc, out }) {
  const spec = readJson(specFile);
  const { images, labels } = readJson(needsFile);
  const wanted = { platform, libc };
  const layers = plannedLayers(tree, spec, wanted).filter(({ id }) => spec.own.includes(id));
  const entries = layers.flatMap((layer) => layer.entries);
  const picked = Object.entries(images).map(([image, need]) => [image, placesIn(tree, entries, need, labels)]);
  const used = layers.map((layer) => ({ ...layer, entries: layer.entries.filter(({ path, link }) => !link && picked.some(([, places]) => places.has(path))) }));
  const choices = chooseFiles(tree, used, { trimmed: trimmer(spec.trim), wanted });
  const bins = merged(binLinks(tree, entries), hoistedLinks(tree, spec.hoisted, entries));
  const uses = new Map(entries.map(({ path }) => [path, Infinity])); // files stay where they are: other images need them too
  for (const [image, places] of picked) {
    const { members } = images[image];
    const chosen = new Map([...choices].filter(([path]) => places.has(path)).map(([path, choice]) => [path, narrowed(choice, places.get(path))]));
    const holds = ({ path, link }) => (link ? leadsTo(link, { chosen, members }) : chosen.has(path));
    const linked = (entry) => bins(entry).filter(({ resolved }) => entry.link || chosen.get(entry.path)?.(relative(entry.path, resolved)) !== false);
    for (const layer of layers) {
      carveLayer({ ...layer, entries: layer.entries.filter(holds) }, { tree, out: join(out, image, layer.id), choices: chosen, bins: linked, uses });
    }
  }
}

const narrowed = (choice, files) => (files === true ? choice : (path) => choice(path) && (path === 'package.json' || files.has(path)));
const leadsTo = (link, { chosen, members }) => [...chosen.keys(), ...members].some((path) => link === path || link.startsWith(`${path}/`) || !path);

/** place -> true or its files, as this platform's tree has them: with what exists for it alone, and what another layout has elsewhere. */
function placesIn(tree, entries, { places = {}, everything }, labels) {
  const here = new Map(entries.filter(({ link }) => !link).map((entry) => [entry.path, entry]));
  if (everything) return new Map([...here.keys()].map((place) => [place, true]));
  const found = new Map();
  const moved = new Map();
  for (const [place, files] of Object.entries(places)) {
    const wanted = files === true || here.get(place)?.bundled ? true : new Set(files);
    if (here.has(place)) found.set(place, wanted);
    else moved.set(labels[place], wanted);
  }
  for (const place of moved.size ? here.keys() : []) if (!found.has(place) && moved.has(labelOf(tree, place))) found.set(place, moved.get(labelOf(tree, place)));
  for (const place of found.keys()) { // grows while it is walked
    for (const part of platformParts(tree, place, found.get(place) === 'platform')) if (here.has(part) && !found.has(part)) found.set(part, 'platform');
  }
  return new Map([...found].map(([place, files]) => [place, files === 'platform' ? true : files]));
}

/** Packages that a package depends on and that exist for some platforms only; all that such a one depends on. */
function platformParts(tree, place, all) {
  const manifest = readJson(join(tree, place, 'package.json'));
  const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  const parts = names.map((name) => lookup(tree, place, name)).filter((path) => path && existsSync(join(tree, path, 'package.json')));
  return parts.filter((path) => all || constrained(limitsOf(readJson(join(tree, path, 'package.json')))));
}
