// `package` copies what one workspace package needs at run time into /out/app/PATH.
import { lstatSync } from 'node:fs';
import { binary, complainOf, fits } from './binaries.mjs';
import { fail, readJson } from './errors.mjs';
import { carveDirectory, makeParents, stamp, walk } from './files.mjs';
import { glob } from './glob.mjs';
import { ancestors, basename, dirname, join, leaves, normalize } from './paths.mjs';

export function carvePackage({ tree, spec: specFile, out }) {
  const spec = readJson(specFile);
  const where = spec.path || 'the root package';
  const key = spec.key ?? `packages."${spec.path || '.'}".files`;
  if (leaves(spec.path)) fail(`${spec.path}: not a path inside the tree`);
  const from = join(tree, spec.path);
  const manifest = readJson(join(from, 'package.json'));
  const files = packageFiles(from, spec);
  checkFiles(files, spec, { where, key });
  checkMain(files, manifest, { where, key, wanted: spec.main ?? true });
  checkStarts(files, spec, { where, key });
  checkBinaries(from, files, spec, where);
  const place = { where, key: `packages."${spec.path || '.'}".outputs`, never: spec.never };
  const extra = (spec.extra ?? []).map((path) => extraFiles(tree, path, place));
  copyPackage(tree, [{ path: spec.path, files: new Set(files) }, ...extra], { out, executables: executablesOf(manifest) });
}

/** A file or folder elsewhere in the tree that belongs to the package: what its build writes there, a shared tsconfig. */
function extraFiles(tree, path, { where, key, never }) {
  const [name, folder] = [normalize(path).replace(/\/$/, ''), dirname(normalize(path).replace(/\/$/, ''))];
  if (leaves(name)) fail(`${where}: ${path}: not a path inside the tree`);
  const kind = lstatSync(join(tree, name), { throwIfNoEntry: false });
  if (!kind) fail(`${where}: ${path} is not there after the build; correct ${key}`);
  if (!kind.isDirectory()) return { path: folder, files: new Set([basename(name)]) };
  const forbidden = glob(never);
  return { path: name, files: new Set(walk(join(tree, name), (each) => !forbidden(each)).filter((each) => !forbidden(each))) };
}

/** `never` and `leaves` are the rules by name, which the plan brings: whatever `files` says, and where it says nothing. */
function packageFiles(from, { files, never, leaves: left, exclude = [], others = [] }) {
  const [forbidden, listed, leftOut, excluded] = [glob(never), glob(files ?? ['**']), glob(left), glob(exclude)];
  const other = new Set(others); // other packages' folders
  const keeps = (path) => path === 'package.json' || (listed(path) && !excluded(path) && !leftOut(path));
  return walk(from, (path) => !forbidden(path) && !other.has(path)).filter((path) => !forbidden(path) && keeps(path));
}

function checkFiles(files, { files: patterns }, { where, key }) {
  const others = files.filter((path) => path !== 'package.json');
  const barren = (patterns ?? []).filter((pattern) => !files.some(glob([pattern])));
  if (barren.length) fail(`${where}: no file matches files = ${JSON.stringify(barren)}; run its build or correct ${key}`);
  if (!others.length) fail(`${where}: nothing to run beside package.json; run its build or set ${key}`);
}

/** The package's "." must be there, as main or exports name it: who imports it would fail in the container only. */
function checkMain(files, { main, exports }, { where, key, wanted }) {
  const targets = (exports === undefined ? [main] : targetsOf(exports?.['.'] ?? exports)).filter((each) => typeof each === 'string');
  const found = new Set(files);
  const present = (target) => targetFiles(normalize(target)).some((file) => found.has(file));
  if (!wanted || !targets.length || targets.some((target) => target.includes('*') || present(target))) return;
  fail(`${where}: its ${exports === undefined ? 'main' : 'exports'} ${JSON.stringify(targets[0])} is not among the files of the image; `
    + `run its build or correct ${key}`);
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
    const job = { tree, from, to: join(app, path), home: from, executables: path === parts[0].path ? executables : undefined };
    carveDirectory({ ...job, keeps: (file) => files.has(file), enters: (folder) => folders.has(folder) });
  }
  for (const directory of [...directories].sort().reverse()) stamp(join(app, directory), 0o755);
  stamp(out, 0o755);
}
