// `standalone` copies a build's output that is complete, with node_modules of its own, such as Next.js's `.next/standalone`.
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { binary, complainOf, fits } from './binaries.mjs';
import { fail, readJson } from './errors.mjs';
import { carveDirectory, list, makeParents, stampFolders, walk } from './files.mjs';
import { glob } from './glob.mjs';
import { isSourceMap } from './maps.mjs';
import { ancestors, dirname, join } from './paths.mjs';
import { giveFolders } from './writable.mjs';

export function carveStandalone({ tree, spec: file, platform, libc, dependencies, out }) {
  const spec = readJson(file);
  const where = spec.path || 'the root package';
  const from = join(tree, spec.path, spec.standalone);
  if (!existsSync(from)) fail(`${where}: its build made no ${spec.standalone}; correct the build, or ${spec.key}`);
  const at = placeOfAll(spec, from);
  const job = { wanted: { platform, libc }, where, maps: spec.maps ?? true, forbidden: forbidding(spec), out: join(out, 'app'), directories: new Set(['']) };
  const paths = walk(from, () => true);
  const foreign = foreignPackages(from, paths, job);
  const drops = new Set([...foreign.keys(), ...linksTo(from, paths, new Set(foreign.keys()))]);
  take(job, { from, to: at, drops });
  for (const [path, binaries] of foreign) {
    const family = familyOf(from, paths, path).filter(({ place }) => !drops.has(place));
    const found = family.flatMap((each) => placesOf(each, { dependencies, home: spec.path }).slice(0, 1).map((source) => ({ ...each, source })));
    if (!found.length && !family.some(({ place }) => existsSync(join(from, place)))) fail(complainOf(where, binaries, job.wanted));
    for (const { place, source } of found) take(job, { from: source, to: join(at, place) });
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
function foreignPackages(from, paths, { wanted }) {
  const found = new Map();
  for (const each of paths.flatMap((path) => binary(from, path)).filter(({ linkable }) => linkable)) {
    const home = homeOf(each.path);
    if (home) found.set(home, [...found.get(home) ?? [], each]);
  }
  return new Map([...found].filter(([, binaries]) => !binaries.some((each) => fits(each, wanted))));
}

/** The package that a file belongs to: `node_modules/@img/sharp-linux-x64`; "" for none. Nitro has versions beside each other in .nitro. */
const homeOf = (path) => /^(?:.*\/)?node_modules\/(?:\.nitro\/)?(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? '';

const folderOf = (home) => home.slice(0, home.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Links, as pnpm's, that lead to packages which go. */
function linksTo(from, paths, homes) {
  const links = paths.filter((path) => lstatSync(join(from, path)).isSymbolicLink());
  return links.filter((path) => homes.has(join(dirname(path), readlinkSync(join(from, path)))));
}

/** The packages for other platforms that go with one: those that the same package asks for, as optional ones, and where it looks for them. */
function familyOf(from, paths, home) {
  const name = home.slice(folderOf(home).length);
  const homes = paths.filter((path) => path.endsWith('/package.json') && homeOf(path) === dirname(path)).map(dirname);
  const asking = homes.map((place) => [folderOf(place), readJson(join(from, place, 'package.json')).optionalDependencies ?? {}]).filter(([, asked]) => name in asked);
  const family = asking.flatMap(([folder, asked]) => Object.entries(asked).map(([each, version]) => ({ name: each, version, folder, place: `${folder}${each}` })));
  return [...new Map(family.map((each) => [each.place, each])).values()];
}

/** Where the production install of the wanted platform has a package: as npm lays it out, or in pnpm's store. */
function placesOf({ name, version, folder }, { dependencies, home }) {
  const store = join(dependencies, 'node_modules/.pnpm');
  const stored = list(store).map((each) => each.name).filter((each) => each.startsWith(`${name.replace('/', '+')}@`));
  const first = stored.filter((each) => each.endsWith(`@${version}`));
  const kept = [...first, ...stored].map((each) => join(store, each, 'node_modules', name));
  const plain = [`${folder}${name}`, join(home, 'node_modules', name), join('node_modules', name)].map((each) => join(dependencies, each));
  return [...plain, ...kept].filter((each) => existsSync(join(each, 'package.json')));
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
  carveDirectory({ tree: from, from, to: join(out, to), home: from, dated: true, keeps: (file) => files.has(file), enters: (folder) => folders.has(folder) });
}
