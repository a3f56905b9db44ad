// What each process of a service needs of the tree and no more: the upper bound of an image with `trace = "files"`.
//
// Its code is followed with @vercel/nft, which names are resolved by. What that cannot follow keeps a whole package: names of
// modules that are computed, folders that are read, native addons, packages that the tracer itself has special cases for.
import { existsSync, lstatSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { readJson } from './errors.mjs';
import { walk } from './files.mjs';
import { glob } from './glob.mjs';
import { join, leaves, packageName, relative, sorted } from './paths.mjs';
import { plainLoads, specialPackages, suspecter } from './suspect.mjs';
import { readSource, resolver } from './trace.mjs';
import { isNative, limitsOf, lookup } from './walked.mjs';

const SCRIPT = /(?<!\.d)\.[cm]?[jt]sx?$/; // no declarations: nothing runs those
const RUNS = /\.[cm]?js$/;
const ROUNDS = 40; // each follows what the one before found; a dozen is much

/** tree, tools, spec -> (image -> {places: place -> true or its files, why: place -> reason, code: files of workspace packages}). */
export async function needsOf({ tree, tools, spec }) {
  const { nodeFileTrace, resolve } = createRequire(join(tools, 'package.json'))('@vercel/nft');
  const context = { tree: realpathSync(tree), spec, nodeFileTrace, cache: {}, texts: new Map(), suspect: suspecter(tools), special: specialPackages(tools), plain: plainLoads(tools), packages: new Map(), doubts: new Map() };
  context.resolve = resolver({ tree: context.tree, home: spec.home, aliases: spec.aliases, resolve, installed: true });
  const images = [];
  for (const [image, start] of Object.entries(spec.images)) images.push([image, await processNeeds(start, context)]);
  return Object.fromEntries(images);
}

async function processNeeds(start, context) {
  if (start.opaque) return { everything: true, places: {}, why: {}, code: new Set() };
  const { tree, spec } = context;
  const state = { directory: start.directory, files: new Set(), whole: new Map(), seen: new Set(), queue: new Set(), followed: new Set(), marks: new Map() };
  for (const file of start.entries) addEntry(entryFile(tree, join(spec.home, file)), state);
  for (const name of start.packages) addPackage(name, spec.home, { state, context });
  for (const name of start.loads) addNamed(name, spec.home, { state, context });
  for (const pattern of spec.keep) keepAsked(pattern, { state, context });
  for (let round = 0; state.queue.size && round < ROUNDS; round += 1) {
    const next = [...state.queue].map((path) => join(tree, path));
    state.queue = new Set();
    await follow(next, { state, context, cwd: join(tree, start.directory), conditions: ['node', 'node-addons', ...start.conditions ?? []] });
  }
  return told(state, context);
}

async function follow(entries, { state, context, cwd, conditions }) {
  const { tree, nodeFileTrace, cache, resolve, texts, plain } = context;
  const { fileList, warnings } = await nodeFileTrace(entries, {
    base: tree, processCwd: cwd, conditions, cache, ignore: leaves, resolve, mixedModules: true, readFile: (path) => readSource(path, texts, plain),
  });
  for (const path of entries) state.followed.add(relative(tree, path));
  const unread = [...warnings].flatMap(({ message }) => /^Failed to parse (\S+) as (?:script|module)/.exec(message)?.[1] ?? []);
  const broken = new Set(unread.map((path) => relative(tree, path)));
  for (const path of fileList) if (!state.files.has(path)) look(path, { state, context, broken });
}

/** A file that the trace found: what its package needs beyond. */
function look(path, { state, context, broken }) {
  const { tree, spec, texts } = context;
  state.files.add(path);
  const owner = ownerOf(path, spec);
  if (!owner) return;
  const about = aboutPackage(owner, context);
  if (owner.place && about.whole) keepWhole(owner, about.whole, { state, context });
  const text = texts.get(join(tree, path));
  if (text === undefined || !SCRIPT.test(path)) return;
  const doubts = context.doubts.get(path) ?? context.doubts.set(path, context.suspect(text)).get(path);
  const marks = marksOf(owner, state);
  marks.folders ||= doubts.folders;
  marks.here ||= doubts.here;
  if (doubts.computed) keepWhole(owner, `${path} ${broken.has(path) ? 'cannot be parsed' : 'loads modules by computed names'}`, { state, context });
  if (marks.folders && (marks.here || !owner.place)) keepWhole(owner, `${path} reads folders`, { state, context });
  if (owner.place) return;
  addTexts(path, text, owner, { state, context });
  addFolders(text, owner, { state, context });
}

/** Folders that code names from where its process starts, as in `sirv('./dist/client')`: it serves browsers the code in them. */
function addFolders(text, { home }, { state, context: { tree } }) {
  for (const [, name] of text.matchAll(/['"`]((?:\.\/)?[\w@.-]+(?:\/[\w@.-]+)+)\/?['"`]/g)) {
    const folder = join(state.directory, name);
    if (!folder.startsWith(home && `${home}/`) || folder === home || !lstatSync(join(tree, folder), { throwIfNoEntry: false })?.isDirectory()) continue;
    for (const path of walk(join(tree, folder), (each) => each !== 'node_modules')) state.files.add(join(folder, path));
  }
}

function marksOf(owner, { marks }) {
  const key = keyOf(owner);
  return marks.get(key) ?? marks.set(key, { folders: false, here: false }).get(key);
}

/** {place} of an installed package, {home} of one of the workspace. */
function ownerOf(path, { home, libraries }) {
  const at = path.lastIndexOf('node_modules/');
  if (at >= 0) {
    const inside = path.slice(at + 'node_modules/'.length);
    return inside.startsWith('.') ? undefined : { place: path.slice(0, at) + join('node_modules', packageName(inside)) };
  }
  const inside = [home, ...libraries].filter((each) => !each || path.startsWith(`${each}/`));
  return inside.length ? { home: inside.reduce((a, b) => (b.length > a.length ? b : a)) } : undefined;
}

const keyOf = ({ place, home }) => place ?? `/${home}`;
const folderOf = ({ place, home }) => place ?? home;

/** What is known of a package, looked up once: {manifest, whole: why all of it is needed}. */
function aboutPackage(owner, context) {
  const key = keyOf(owner);
  if (context.packages.has(key)) return context.packages.get(key);
  const { place } = owner;
  const file = join(context.tree, folderOf(owner), 'package.json');
  const manifest = existsSync(file) && lstatSync(file).isFile() ? readJson(file) : {};
  const whole = !place ? '' : context.special.has(manifest.name) ? 'the tracer knows it as special'
    : isNative(context.tree, place, manifest, limitsOf(manifest)) ? 'it has native code' : '';
  return context.packages.set(key, { manifest, whole }).get(key);
}

/** All of a package, and what any of its files needs; of its dependencies those that its texts name. */
function keepWhole(owner, why, { state, context }) {
  const key = keyOf(owner);
  if (state.whole.has(key)) return;
  state.whole.set(key, why);
  const files = filesOf(owner, context);
  for (const path of files) {
    if (!state.files.has(path) && (owner.place ? RUNS : SCRIPT).test(path)) addEntry(path, state);
  }
  for (const path of files) {
    if (SCRIPT.test(path)) addTexts(path, readFileSync(join(context.tree, path), 'utf8'), owner, { state, context });
  }
}

function filesOf(owner, { tree, spec }) {
  const from = folderOf(owner);
  const others = new Set(spec.others);
  return walk(join(tree, from), (path) => path !== 'node_modules' && !others.has(join(from, path))).map((path) => join(from, path));
}

/** Names of dependencies in texts: `dialect: 'pg'`, `target: 'pino-pretty'`, `app.set('view engine', 'ejs')`. */
function addTexts(path, text, owner, { state, context }) {
  const { manifest } = aboutPackage(owner, context);
  const names = new Set(['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((table) => Object.keys(manifest[table] ?? {})));
  if (owner.home === context.spec.home) for (const name of context.spec.extra ?? []) names.add(name);
  if (owner.place) for (const name of context.spec.declared) names.add(name);
  for (const [, , said] of text.matchAll(/(['"`])(@?[a-z0-9][\w./-]*)\1/gi)) {
    const name = packageName(said);
    if (names.has(name)) addNamed(said, folderOf(owner), { state, context });
  }
}

/** What Node would find under a name in a folder: a file to follow. Declared by the service where its library asks for it. */
function addNamed(said, from, { state, context }) {
  const key = `${from}\0${said}`;
  if (state.seen.has(key)) return;
  state.seen.add(key);
  const { tree, spec } = context;
  const name = packageName(said);
  const place = [from, spec.home].map((each) => lookup(tree, each, name)).find(Boolean);
  if (!place) return;
  for (const file of mainsAt(tree, place, said)) addEntry(file, state);
}

/** The files that a name may lead to, whichever way it is loaded. */
function mainsAt(tree, place, said) {
  const folder = relative(tree, realpathSync(join(tree, place)));
  const load = createRequire(join(tree, place, '..', '..', 'x.js'));
  const found = new Set();
  try {
    const file = relative(tree, realpathSync(load.resolve(said)));
    if (!leaves(file)) found.add(file);
  } catch { /* none for require() */ }
  const manifest = join(tree, place, 'package.json');
  const { exports, module, main } = existsSync(manifest) ? readJson(manifest) : {};
  const bare = !said.replace(/^@[^/]+\//, '').includes('/');
  const targets = bare ? [...textsOf(exports?.['.'] ?? (typeof exports === 'object' && Object.keys(exports ?? {}).some((k) => k.startsWith('.')) ? [] : exports)), module, main] : [];
  for (const target of targets) {
    const path = typeof target === 'string' && RUNS.test(target) ? join(folder, target) : '';
    if (path && isFile(join(tree, path))) found.add(path);
  }
  return [...found].filter((path) => SCRIPT.test(path) || path.endsWith('.json') || path.endsWith('.node'));
}

function textsOf(value) {
  if (value === null || value === undefined) return [];
  if (typeof value !== 'object') return [value];
  return Object.entries(value).filter(([key]) => !['types', 'browser', 'development'].includes(key)).flatMap(([, each]) => textsOf(each));
}

/** A package that a command names: all that it may start. */
function addPackage(name, from, { state, context }) {
  const place = lookup(context.tree, from, name);
  if (!place) return;
  addNamed(name, from, { state, context });
  const folder = relative(context.tree, realpathSync(join(context.tree, place)));
  const file = join(context.tree, folder, 'package.json');
  const { bin = {} } = existsSync(file) ? readJson(file) : {};
  for (const target of typeof bin === 'string' ? [bin] : Object.values(bin)) addEntry(join(folder, target), state);
  const owner = ownerOf(join(folder, 'x'), context.spec);
  if (owner?.place) state.files.add(join(folder, 'package.json'));
}

/** `keep` names packages, or files from the service's own folder or the root. */
function keepAsked(pattern, { state, context }) {
  const { tree, spec } = context;
  const place = /[*{]/.test(pattern) ? '' : lookup(tree, spec.home, pattern);
  if (place) {
    const folder = relative(tree, realpathSync(join(tree, place)));
    const owner = ownerOf(join(folder, 'package.json'), spec);
    if (owner) keepWhole(owner, `keep names it`, { state, context });
    state.files.add(join(folder, 'package.json'));
    return;
  }
  const matches = glob([pattern]);
  const owners = [spec.home, ...spec.libraries].map((home) => ({ home }));
  for (const owner of owners) {
    for (const path of filesOf(owner, context)) {
      if (!matches(path) && !(owner.home === spec.home && matches(relative(spec.home, path)))) continue;
      keepFile(path, state);
    }
  }
  if (pattern.startsWith('node_modules/')) keepInstalled(pattern, matches, { state, context });
}

/** Files of installed packages, at whatever depth these lie. */
function keepInstalled(pattern, matches, { state, context }) {
  const name = packageName(pattern.slice('node_modules/'.length));
  const place = lookup(context.tree, context.spec.home, name);
  if (!place) return;
  const folder = relative(context.tree, realpathSync(join(context.tree, place)));
  for (const path of filesOf({ place: folder }, context)) {
    if (!matches(`node_modules/${name}/${relative(folder, path)}`)) continue;
    keepFile(path, state);
  }
}

function keepFile(path, state) {
  state.files.add(path);
  if (SCRIPT.test(path)) addEntry(path, state);
}

function addEntry(path, state) {
  if (!path || leaves(path) || state.followed.has(path)) return;
  state.queue.add(path);
}

function entryFile(tree, path) {
  const endings = ['', '.js', '.mjs', '.cjs', '.ts', '/index.js', '/index.ts'];
  return endings.map((tail) => path.replace(/\/$/, '') + tail).find((each) => isFile(join(tree, each)));
}

const isFile = (path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false;

function told(state, context) {
  const { tree, spec } = context;
  const places = new Map();
  const code = new Set();
  for (const path of [...state.files].sort()) {
    const owner = ownerOf(path, spec);
    if (owner?.place && !lstatSync(join(tree, owner.place), { throwIfNoEntry: false })?.isSymbolicLink()) {
      const files = places.get(owner.place) ?? places.set(owner.place, []).get(owner.place);
      if (path !== owner.place) files.push(path.slice(owner.place.length + 1));
    } else if (owner && owner.home !== undefined) code.add(path);
  }
  for (const [key] of state.whole) {
    if (key.startsWith('/')) for (const path of filesOf({ home: key.slice(1) }, context)) code.add(path);
    else places.set(key, true);
  }
  return { places: sorted(places), why: sorted(state.whole), code };
}
