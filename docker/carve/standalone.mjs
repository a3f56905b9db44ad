// `standalone` copies a build's output that is complete, with node_modules of its own, such as Next.js's `.next/standalone`.
import { existsSync, readdirSync } from 'node:fs';
import { binary, complainOf, fits } from './binaries.mjs';
import { fail, readJson } from './errors.mjs';
import { carveDirectory, makeParents, stampFolders, walk } from './files.mjs';
import { glob } from './glob.mjs';
import { isSourceMap } from './maps.mjs';
import { ancestors, join } from './paths.mjs';
import { giveFolders } from './writable.mjs';

export function carveStandalone({ tree, spec: file, platform, libc, dependencies, out }) {
  const spec = readJson(file);
  const where = spec.path || 'the root package';
  const from = join(tree, spec.path, spec.standalone);
  if (!existsSync(from)) fail(`${where}: its build made no ${spec.standalone}; correct the build, or ${spec.key}`);
  const at = placeOfAll(spec, from);
  const job = { wanted: { platform, libc }, where, maps: spec.maps ?? true, forbidden: forbidding(spec), out: join(out, 'app'), directories: new Set(['']) };
  const foreign = foreignPackages(from, job);
  const drops = new Set(foreign.keys());
  take(job, { from, to: at, drops });
  for (const [path, binaries] of foreign) {
    const family = familyOf(from, path).filter((each) => !drops.has(each));
    const found = family.map((each) => ({ each, place: placeOf(each, { dependencies, home: spec.path }) })).filter(({ place }) => place);
    if (!found.length && !family.some((each) => existsSync(join(from, each)))) fail(complainOf(where, binaries, job.wanted));
    for (const { each, place } of found) take(job, { from: place, to: join(at, each) });
  }
  if (!spec.tree) take(job, { from: join(tree, spec.path), to: spec.path, only: ['package.json'] }); // says which kind of modules .js files are
  for (const path of spec.beside) take(job, { from: join(tree, spec.path, path), to: join(spec.path, path) });
  stampFolders(out, job.directories);
  giveFolders(spec.writable ?? [], out);
}

/** Where images have it: at its own place, but Next.js's is a tree of what was traced, the whole workspace or the package alone. */
function placeOfAll({ path, standalone, tree }, from) {
  if (!tree) return join(path, standalone);
  return path && !existsSync(join(from, path)) ? path : '';
}

/** What holds secrets or history stays out; node_modules are what this is about. */
function forbidding({ never, settings = [] }) {
  const banned = glob(never.filter((pattern) => pattern !== 'node_modules'));
  const allowed = new Set(settings);
  return (path) => banned(path) && !allowed.has(path);
}

/** Packages in it whose binaries are all for another platform -> these. */
function foreignPackages(from, { wanted }) {
  const found = new Map();
  for (const each of walk(from, () => true).flatMap((path) => binary(from, path)).filter(({ linkable }) => linkable)) {
    const home = homeOf(each.path);
    if (home) found.set(home, [...found.get(home) ?? [], each]);
  }
  return new Map([...found].filter(([, binaries]) => !binaries.some((each) => fits(each, wanted))));
}

/** The package that a file belongs to: `node_modules/@img/sharp-linux-x64`; "" for none. */
const homeOf = (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? '';

const folderOf = (home) => home.slice(0, home.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** The packages for other platforms that go with one: those that the same package asks for, as optional ones. */
function familyOf(from, home) {
  const folder = folderOf(home);
  const asked = packagesIn(join(from, folder)).map((each) => readJson(join(from, folder, each, 'package.json')).optionalDependencies ?? {});
  const names = asked.filter((each) => home.slice(folder.length) in each).flatMap(Object.keys);
  return [...new Set(names)].map((each) => `${folder}${each}`);
}

/** Where the production install of the wanted platform has a package; undefined when it has not. */
function placeOf(path, { dependencies, home }) {
  const name = path.slice(folderOf(path).length);
  const places = [path, join(home, 'node_modules', name), join('node_modules', name)].map((each) => join(dependencies, each));
  return places.find((each) => existsSync(join(each, 'package.json')));
}

function packagesIn(folder) {
  const names = readdirSync(folder).flatMap((name) => (name.startsWith('@') ? readdirSync(join(folder, name)).map((each) => `${name}/${each}`) : [name]));
  return names.filter((name) => existsSync(join(folder, name, 'package.json')));
}

function take({ where, wanted, forbidden, maps, out, directories }, { from, to, drops = new Set(), only }) {
  if (!existsSync(from)) return;
  const leaves = (path) => drops.has(path) || forbidden(path);
  const kept = (only ?? walk(from, (path) => !leaves(path))).filter((path) => !leaves(path));
  const files = new Set(maps ? kept : kept.filter((path) => !isSourceMap(join(from, path))));
  const wrong = [...files].flatMap((path) => binary(from, path)).filter((each) => each.linkable && !fits(each, wanted));
  if (wrong.length) console.log(`warning: ${complainOf(where, wrong, wanted)}`);
  const folders = new Set([...files].flatMap(ancestors));
  makeParents(out, join(to, 'x'), directories);
  carveDirectory({ tree: from, from, to: join(out, to), home: from, keeps: (file) => files.has(file), enters: (folder) => folders.has(folder) });
}
