// `package` copies what one workspace package needs at run time into /out/app/PATH.
import { existsSync, lstatSync, readlinkSync, statSync } from 'node:fs';
import { binary, complainOf, fits } from './binaries.mjs';
import { fail, readJson } from './errors.mjs';
import { carveDirectory, makeParents, stampFolders, walk } from './files.mjs';
import { glob } from './glob.mjs';
import { isSourceMap } from './maps.mjs';
import { ancestors, basename, dirname, join, leaves, normalize } from './paths.mjs';
import { tellTraced, traceFiles } from './trace.mjs';
import { giveFolders } from './writable.mjs';

export async function carvePackage({ tree, spec: specFile, out, tracer, analyses }) {
  const spec = readJson(specFile);
  const where = spec.path || 'the root package';
  const key = spec.key ?? `packages."${spec.path || '.'}".files`;
  if (leaves(spec.path)) fail(`${spec.path}: not a path inside the tree`);
  const from = join(tree, spec.path);
  const manifest = readJson(join(from, 'package.json'));
  const files = packageFiles(from, spec);
  checkFiles(files, manifest, { from, spec, where, key });
  checkMain(files, manifest, { from, spec, where, key });
  checkStarts(files, spec, { where, key });
  checkBinaries(from, files, spec, where);
  const own = { path: spec.path, files: new Set(files) };
  const extra = extraParts(tree, spec);
  const traced = spec.trace ? await tracedParts(tree, spec, { tracer, analyses, parts: [own, ...extra] }) : [];
  copyPackage(tree, [own, ...extra, ...traced], { out, executables: executablesOf(manifest) });
  giveFolders(spec.writable ?? [], out);
}

function extraParts(tree, spec) {
  const place = { where: spec.path || 'the root package', key: `packages."${spec.path || '.'}".outputs`, never: spec.never, maps: spec.maps };
  return (spec.extra ?? []).map((path) => extraFiles(tree, path, place));
}

/** What the service's processes read beyond what its own package and those that it needs hold. */
async function tracedParts(tree, spec, { tracer, analyses, parts }) {
  const { entries, libraries, ...settings } = spec.trace;
  const needed = libraries.filter(({ path }) => existsSync(join(tree, path, 'package.json'))).map((each) => ({ never: spec.never, ...each }));
  const others = needed.map((each) => ({ path: each.path, files: new Set(packageFiles(join(tree, each.path), each)) }));
  const holding = [...parts, ...others].flatMap(({ path, files }) => [...files].map((file) => join(path, file)));
  const images = new Set(holding);
  const left = new Set([spec, ...needed].flatMap(({ path, unneeded = [] }) => unneeded.map((file) => join(path, file))));
  const typed = glob(spec.leaves);
  const excluded = [spec, ...needed].map(({ path, exclude = [] }) => ({ folder: path ? `${path}/` : '', matches: glob(exclude) }));
  const unwanted = (path) => excluded.some(({ folder, matches }) => path.startsWith(folder) && matches(path.slice(folder.length)));
  const found = await traceFiles(
    { ...settings, tree, tools: tracer, analyses, home: spec.path, entries: entries.map((file) => join(spec.path, file)), never: spec.never },
    { held: (path) => images.has(path) || unwanted(path) || leavesMap(spec, join(tree, path)), doubtful: (path) => left.has(path) || typed(path) },
  );
  for (const line of tellTraced(found)) console.log(line);
  const led = linkedFiles(tree, [...holding, ...found.map(({ path }) => path)], glob(spec.never));
  const files = new Set([...found.map(({ path }) => path), ...led].filter((path) => !images.has(path)));
  return files.size ? [{ path: '', files }] : [];
}

/** What links in the image lead to: they would dangle there. */
function linkedFiles(tree, paths, forbidden) {
  const targets = paths.filter((path) => lstatSync(join(tree, path)).isSymbolicLink()).map((path) => join(dirname(path), readlinkSync(join(tree, path))));
  return targets.filter((path) => !leaves(path) && !forbidden(path) && existsSync(join(tree, path))).flatMap((path) => {
    if (!statSync(join(tree, path)).isDirectory()) return [path];
    return walk(join(tree, path), (each) => !forbidden(each)).filter((each) => !forbidden(each)).map((each) => join(path, each));
  });
}

/** A file or folder elsewhere in the tree that belongs to the package: what its build writes there, a shared tsconfig. */
function extraFiles(tree, path, { where, key, never, maps }) {
  const [name, folder] = [normalize(path).replace(/\/$/, ''), dirname(normalize(path).replace(/\/$/, ''))];
  if (leaves(name)) fail(`${where}: ${path}: not a path inside the tree`);
  const kind = lstatSync(join(tree, name), { throwIfNoEntry: false });
  if (!kind) fail(`${where}: ${path} is not there after the build; correct ${key}`);
  if (!kind.isDirectory()) return { path: folder, files: new Set([basename(name)]) };
  const forbidden = glob(never);
  const files = walk(join(tree, name), (each) => !forbidden(each)).filter((each) => !forbidden(each));
  return { path: name, files: new Set(files.filter((each) => !leavesMap({ maps }, join(tree, name, each)))) };
}

/**
 * What the image has of a package's folder. The rules by name come with the plan: `never` whatever `files` says, `leaves` for
 * what no process can load, and `unneeded`, the sources that only development needs. What a build wrote has no such names.
 */
function packageFiles(from, { files, never, leaves: left, unneeded = [], settings = [], exclude = [], others = [], maps }) {
  const [listed, leftOut, excluded] = [glob(files ?? ['**']), glob(left), glob(exclude)];
  const [banned, allowed] = [glob(never), new Set(settings)]; // settings: .env files that git tracks
  const [named, other] = [new Set(unneeded), new Set(others)]; // others: other packages' folders
  const forbidden = (path) => banned(path) && !allowed.has(path);
  const keeps = (path) => path === 'package.json' || (listed(path) && !excluded(path) && !leftOut(path) && !named.has(path));
  const found = walk(from, (path) => !forbidden(path) && !other.has(path)).filter((path) => !forbidden(path) && keeps(path));
  return found.filter((path) => !leavesMap({ maps }, join(from, path)));
}

const leavesMap = ({ maps = true }, file) => !maps && isSourceMap(file);

function checkFiles(files, manifest, { from, spec, where, key }) {
  const others = files.filter((path) => path !== 'package.json');
  const barren = (spec.files ?? []).filter((pattern) => !files.some(glob([pattern])));
  if (barren.length) fail(`${where}: no file matches files = ${JSON.stringify(barren)}; run its build or correct ${key}`);
  if (others.length || !(spec.built ?? true) || hasOnlyTypes(from, manifest)) return;
  fail(`${where}: nothing to run beside package.json; run its build or set ${key}`);
}

/**
 * The package's "." must be there, as main or exports name it: who imports it would fail in the container only. Where no build
 * could have written it and it is not in the tree, no process loads it outside either.
 */
function checkMain(files, manifest, { from, spec, where, key }) {
  const { exports } = manifest;
  const targets = mainsOf(manifest);
  const found = new Set(files);
  const present = (target) => targetFiles(normalize(target)).some((file) => found.has(file));
  if (!(spec.main ?? true) || !targets.length || targets.some((target) => target.includes('*') || present(target))) return;
  const there = targets.some((target) => targetFiles(normalize(target)).some((file) => isFile(join(from, file))));
  if (!there && (!(spec.built ?? true) || hasOnlyTypes(from, manifest))) return;
  fail(`${where}: its ${exports === undefined ? 'main' : 'exports'} ${JSON.stringify(targets[0])} is not among the files of the image; `
    + `run its build or correct ${key}`);
}

const isFile = (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

function mainsOf({ main, exports }) {
  const targets = exports === undefined ? [main] : targetsOf(exports?.['.'] ?? exports);
  return targets.filter((each) => typeof each === 'string');
}

/** Whether declarations are there, and no code beside them: what imports the package imports types. */
function hasOnlyTypes(from, manifest) {
  const { types, typings } = manifest;
  const beside = mainsOf(manifest).map((each) => each.replace(/\.([cm]?)js$/, '.d.$1ts'));
  return [types, typings, 'index.d.ts', ...beside].some((each) => typeof each === 'string' && /\.d\.[cm]?ts$/.test(each) && isFile(join(from, each)));
}

/** What commands start must be there: the container would end with "Cannot find module". */
function checkStarts(files, { starts = {} }, { where, key }) {
  const found = new Set(files);
  const absent = Object.entries(starts).filter(([file]) => ![file, ...targetFiles(file.replace(/\.js$/, ''))].some((each) => found.has(each)));
  if (absent.length) {
    fail(...absent.map(([file, image]) => `${where}: ${file}, which ${image} starts, is not among the files of the image; `
      + `run its build, or correct the command or ${key}`));
  }
}

/** What `exports` may lead to in Node; subpaths have no say about ".". */
function targetsOf(value) {
  if (value === null || typeof value !== 'object') return [value];
  const conditions = Object.entries(value).filter(([name]) => name !== 'types' && !name.startsWith('./'));
  return conditions.flatMap(([, target]) => targetsOf(target));
}

function targetFiles(target) {
  const path = target.replace(/\/$/, '');
  return ['', '.js', '.json', '.node', '/index.js', '/index.json', '/index.node'].map((tail) => join(path + tail));
}

/** Each platform of the images needs a binary of its own, when the package has binaries at all. */
function checkBinaries(from, files, { platforms = [], libc = [] }, where) {
  const binaries = files.flatMap((path) => binary(from, path)).filter(({ linkable }) => linkable);
  const wanted = platforms.flatMap((platform) => [libc].flat().map((each) => ({ platform, libc: each })));
  const complaints = wanted.filter((each) => binaries.length && !binaries.some((found) => fits(found, each)));
  if (complaints.length) fail(...complaints.map((each) => complainOf(where, binaries, each)));
}

function executablesOf({ bin = {} }) {
  return new Set((typeof bin === 'string' ? [bin] : Object.values(bin)).map(normalize));
}

function copyPackage(tree, parts, { out, executables }) {
  const app = join(out, 'app');
  const directories = new Set(['']);
  for (const { path, files } of parts) {
    const folders = new Set([...files].flatMap(ancestors));
    makeParents(app, join(path, 'x'), directories);
    const from = join(tree, path);
    const job = { tree, from, to: join(app, path), home: from, dated: true, executables: path === parts[0].path ? executables : undefined };
    carveDirectory({ ...job, keeps: (file) => files.has(file), enters: (folder) => folders.has(folder) });
  }
  stampFolders(out, directories);
}
