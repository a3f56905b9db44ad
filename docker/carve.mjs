// Cuts an installed workspace into the file trees that bake's images are made of. No dependencies, Node 18.3 or newer.
//
//   node carve.mjs layers  --tree /app --plan /plan/layers.json --platform linux/arm64 --libc glibc --out /layers
//   node carve.mjs package --tree /app --spec /plan/packages/NAME.json --out /out
//   node carve.mjs builds  --tree /app --plan /plan/builds.json --out /builds
//
// `layers` takes the lock entries of each layer class out of node_modules into /layers/ID/app and writes their sizes to
// /layers/sizes.json. It empties the tree: an entry is moved to the last layer that holds it and copied to the others.
// Moving needs the tree to be made in the same RUN; from an earlier one (an overlay's lower layer, a mount) everything is
// copied, which takes three times as long. `package` copies what one workspace package needs at run time into /out/app/PATH.
// `builds` links into /builds/STAGE what the build of a package can reach.
//
// Same tree, same bytes: modes are 0755 or 0644, every time is 2000-01-01, so equal layers have equal digests in every image.
// Every native binary is compared with the platform before a file is moved; a wrong one ends the build, not the container.
import {
  chmodSync, closeSync, copyFileSync, existsSync, linkSync, lstatSync, lutimesSync, mkdirSync, openSync, readFileSync, readdirSync,
  readSync, readlinkSync, realpathSync, renameSync, rmSync, rmdirSync, symlinkSync, utimesSync, writeFileSync,
} from 'node:fs';
import { posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const { basename, dirname, isAbsolute, join, normalize, relative } = posix;
const TIME = 946684800; // 2000-01-01T00:00:00Z in seconds
const NPM_CPU = { amd64: 'x64', 386: 'ia32', ppc64le: 'ppc64' }; // where npm's word is not docker's

// Never in an image, whatever `files` says: node_modules comes as layers, the rest holds secrets or history.
const NEVER = ['node_modules', '**/.env*', '**/.npmrc', '**/.yarnrc*', '**/.git'];

// Left out when the package does not list its files. Only names with one meaning: a templates/*.md, a next.config.js, a
// knexfile.ts turned .js, a routes/test/ may be needed at run time, so they stay.
const BUILD_TIME = [
  '**/.git*', '**/.DS_Store', '**/*.log', '**/*.tsbuildinfo', '**/{Dockerfile,docker-compose,compose}{,.*,-*}', '**/*.Dockerfile',
  '.{vscode,idea,husky,changeset,storybook,turbo,cache,nyc_output,github,circleci}', '.next/cache', '.dockerignore',
  '{package-lock,npm-shrinkwrap}.json', '.yarn', '.pnpmfile.{cjs,mjs}', 'patches/**/*.patch',
  '{yarn.lock,pnpm-lock.yaml,pnpm-workspace.yaml,.npmignore,.nvmrc,.node-version,.editorconfig}',
  // documents
  '*.md', '*.mdx', 'docs', '**/{README,CHANGELOG,CONTRIBUTING}{,.*}',
  // tests
  '**/{__tests__,__mocks__,__fixtures__,__snapshots__}', '**/*.{test,spec}.*', '{,dist/,build/,lib/,out/,src/}{test,tests,e2e}',
  '**/{coverage,playwright-report,test-results}', 'cypress',
  // tools, by name
  '**/.{eslint,prettier,stylelint,lintstaged,commitlint,babel}{rc,ignore}{,.*}',
  '**/{eslint,prettier,stylelint,jest,vitest,vite,rollup,webpack,babel,postcss,tailwind,playwright,cypress,tsup,tsdown,turbo,commitlint,lint-staged}'
    + '{,.*}.{config,workspace,setup}.*',
  '**/{nodemon,turbo,jsconfig,typedoc,nx,project}.json', '**/tsconfig*.json',
];
const TYPESCRIPT = ['**/*.{ts,tsx,mts,cts}'];
const READ_BY_TSX = ['**/tsconfig*.json']; // its paths and JSX settings count where sources are run

/** A mistake in the plan, the tree or the build: shown without a stack. */
class CarveError extends Error {}

const COMMANDS = {
  layers: { run: carveLayers, options: ['tree', 'plan', 'platform', 'libc', 'out'] },
  package: { run: carvePackage, options: ['tree', 'spec', 'out'] },
  builds: { run: carveBuilds, options: ['tree', 'plan', 'out'] },
};

/** Runs one command; "" or what is wrong, a line per mistake. A defect of this script keeps its stack. */
export function main(argv) {
  try {
    process.umask(0o022);
    const { run, options } = COMMANDS[argv[0]] ?? fail(`usage: carve.mjs ${Object.keys(COMMANDS).join('|')} --tree DIR … --out DIR`);
    run(readOptions(argv.slice(1), options));
    return '';
  } catch (error) {
    if (error instanceof CarveError || error.syscall) return error.message.replace(/^/gm, 'carve: '); // the disk names its file
    throw error;
  }
}

function fail(...lines) {
  throw new CarveError(lines.join('\n'));
}

function readOptions(args, names) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) }));
  } catch (error) {
    fail(error.message);
  }
  const absent = names.filter((name) => values[name] === undefined);
  return absent.length ? fail(`missing ${absent.map((name) => `--${name}`).join(', ')}`) : values;
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return fail(error.syscall ? error.message : `${file}: not JSON: ${error.message}`);
  }
}

// ---- layers

function carveLayers({ tree, plan: planFile, platform, libc, out }) {
  const plan = readJson(planFile);
  plan.layers = plan.layers.filter((layer) => !layer.libc || layer.libc === libc);
  const wanted = { platform, libc };
  const planned = plan.walk ? walkLayers(tree, plan, wanted) : plan.layers;
  const layers = planned.map((layer) => ({ ...layer, entries: entriesFor(layer.entries, wanted) }));
  const trimmed = trimmer(plan.trim ?? []);
  const choices = chooseFiles(tree, layers, { trimmed, wanted });
  const entries = layers.flatMap((layer) => layer.entries);
  const bins = merged(binLinks(tree, entries), hoistedLinks(tree, plan.hoisted ?? [], entries));
  const uses = countUses(layers);
  const sizes = layers.map((layer) => [layer.id, carveLayer(layer, { tree, out: join(out, layer.id), choices, bins, uses })]);
  writeStamped(join(out, 'sizes.json'), `${JSON.stringify(sorted(sizes), null, 2)}\n`);
}

function entriesFor(entries, wanted) {
  const ours = entries.filter((entry) => allowed(entry, wanted));
  for (const { path, link } of ours) {
    for (const inside of [path, link].filter(Boolean)) if (leaves(inside)) fail(`${inside}: not a path inside the tree`);
  }
  return [...new Map(ours.map((entry) => [entry.path, entry])).values()].sort(byPath);
}

/** npm's os, cpu and libc fields: a list of words, or of words not wanted (`!win32`). */
function allowed({ os, cpu, libc }, wanted) {
  const [system, arch] = wanted.platform.split('/');
  return matches(os, system) && matches(cpu, NPM_CPU[arch] ?? arch) && matches(libc, wanted.libc);
}

function matches(words = [], word) {
  const positive = words.filter((each) => !each.startsWith('!'));
  if (words.includes(`!${word}`)) return false;
  return !positive.length || positive.includes(word) || positive.includes('any');
}

const constrained = ({ os, cpu, libc }) => [os, cpu, libc].some((words) => words?.length);

/** Entry path -> what of its directory goes into layers, settled before anything moves; absent entries are left out. */
function chooseFiles(tree, layers, { trimmed, wanted }) {
  const choices = new Map();
  const complaints = [];
  for (const { native, entries } of layers) {
    for (const entry of entries.filter(({ path, link }) => !link && !choices.has(path))) {
      const { choice, complaint } = chooseOf(entry, join(tree, entry.path), { native: entry.native ?? native, trimmed, wanted });
      if (complaint) complaints.push(complaint);
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
    const place = entry.path.slice(entry.path.lastIndexOf('node_modules/'));
    return { complaint: `${complainOf(entry.path, foreign, wanted)}, or leave it out: layers.trim = ["${place}/**"]` };
  }
  const dropped = new Set(native && foreign.length < binaries.length ? foreign.map(({ path }) => path) : []);
  return { choice: (path) => keeps(path) && !dropped.has(path) };
}

function complainOf(where, foreign, wanted) {
  const first = foreign.find(({ linkable }) => linkable);
  const more = foreign.length > 1 ? ` (and ${foreign.length - 1} more)` : '';
  return `${where}: ${first.path}${more} is for ${describe(first)}, wanted ${describe(parsePlatform(wanted))}; `
    + 'install or build it for the target platform';
}

function countUses(layers) {
  const uses = new Map();
  for (const { path } of layers.flatMap((layer) => layer.entries)) uses.set(path, (uses.get(path) ?? 0) + 1);
  return uses;
}

function carveLayer(layer, { tree, out, choices, bins, uses }) {
  const app = join(out, 'app');
  const directories = new Set(['']);
  const sizes = [];
  mkdirSync(app, { recursive: true });
  for (const entry of layer.entries) {
    const links = bins(entry);
    const last = uses.get(entry.path) === 1;
    uses.set(entry.path, uses.get(entry.path) - 1);
    for (const path of [entry.path, ...links.map((link) => link.path)]) makeParents(app, path, directories);
    if (entry.link) writeLink(join(app, entry.path), relative(dirname(entry.path), entry.link));
    else if (!choices.has(entry.path)) continue;
    sizes.push([entry.path, carveEntry(entry, { tree, app, keeps: choices.get(entry.path), last })]);
    for (const { path, target } of links) writeLink(join(app, path), target);
  }
  for (const directory of [...directories].sort().reverse()) stamp(join(app, directory), 0o755);
  stamp(out, 0o755);
  return summary(sizes);
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
function trimmer(patterns) {
  const named = glob(patterns.filter((pattern) => pattern.startsWith('node_modules/')));
  const inside = glob(patterns.filter((pattern) => !pattern.startsWith('node_modules/')));
  return (entry, path) => inside(path) || named(`${entry.slice(entry.lastIndexOf('node_modules/'))}/${path}`);
}

/** entry -> the node_modules/.bin links that the package manager made for it, and those its `bins` asks for. */
function binLinks(tree, entries) {
  const levels = new Map();
  for (const entry of entries) {
    const level = levelOf(entry.path);
    levels.set(level, [...(levels.get(level) ?? []), entry]);
  }
  const found = new Map();
  for (const [level, members] of levels) {
    for (const link of readLinks(tree, join(level, '.bin'))) {
      // pnpm's lead past the dependency's link, into its store.
      const through = members.find((member) => member.link && `${link.resolved}/`.startsWith(`${member.link}/`));
      const owner = through?.path ?? ownerOf(level, link.resolved);
      found.set(owner, [...(found.get(owner) ?? []), link]);
    }
  }
  return (entry) => found.get(entry.path) ?? [];
}

/** entry -> links to it that the package manager made for those who do not declare what they use. */
function hoistedLinks(tree, folders, entries) {
  const known = new Set(entries.map(({ path }) => path));
  const found = new Map();
  for (const folder of folders) {
    const scopes = list(join(tree, folder)).filter((each) => each.isDirectory() && each.name.startsWith('@'));
    const links = [folder, ...scopes.map(({ name }) => join(folder, name))].flatMap((each) => readLinks(tree, each));
    for (const link of links.filter(({ path }) => !known.has(path))) {
      found.set(link.resolved, [...(found.get(link.resolved) ?? []), link]);
    }
  }
  return (entry) => found.get(entry.path) ?? [];
}

const merged = (...tables) => (entry) => tables.flatMap((table) => table(entry));

const levelOf = (path) => path.slice(0, path.lastIndexOf('node_modules') + 'node_modules'.length);

function readLinks(tree, directory) {
  const links = list(join(tree, directory)).filter((each) => each.isSymbolicLink());
  return links.map(({ name }) => {
    const target = readlinkSync(join(tree, directory, name));
    return { path: join(directory, name), target, resolved: join(directory, target) };
  });
}

/** "node_modules", "node_modules/@x/y/cli.js" -> "node_modules/@x/y" */
function ownerOf(level, file) {
  const [first, second] = relative(level, file).split('/');
  return join(level, first.startsWith('@') ? `${first}/${second}` : first);
}

function summary(entries) {
  const total = (key) => entries.reduce((sum, [, size]) => sum + size[key], 0);
  return { bytes: total('bytes'), files: total('files'), entries: sorted(entries.map(([path, { bytes }]) => [path, bytes])) };
}

// ---- walking: what a lockfile does not tell, the installed tree does

// Packages that exist to find or compile a native addon (bake/closure.py has the same list).
const NATIVE_HELPERS = [
  'bindings', 'detect-libc', 'nan', 'node-addon-api', 'node-gyp-build', 'node-gyp-build-optional-packages', 'prebuild-install',
];

/** The plan's layers with the entries that exactly their services reach in the tree. */
function walkLayers(tree, { walk, layers }, wanted) {
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
      entries.set(entry.path, entry);
      if (!seen.has(next)) queue.push(next);
      seen.add(next);
    }
  }
  return entries;
}

/** path of a package -> what Node finds for its dependencies: [{entry, next, peer}]; read once. */
function looker(tree, { packages, extra = {}, exclude = {} }, wanted) {
  const members = new Set(packages);
  const known = new Map();
  const added = (table, path) => (members.has(path) ? [...(table['*'] ?? []), ...(table[path] ?? [])] : []);
  const look = (path) => {
    const manifest = readJson(join(tree, path, 'package.json'));
    const names = namesOf(manifest, added(extra, path), added(exclude, path));
    return [...names].flatMap(([name, kind]) => find(tree, { path, name, kind, members }, wanted));
  };
  return (path) => known.get(path) ?? known.set(path, look(path)).get(path);
}

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
    if (!members.has(next)) fail(`${place}: leads to ${next}, which is no workspace package; add it to the workspaces`);
    return [{ entry: { path: place, link: next, native: false }, next, peer }];
  }
  const manifest = readJson(join(tree, place, 'package.json'));
  const limits = Object.fromEntries(['os', 'cpu', 'libc'].map((key) => [key, [manifest[key] ?? []].flat()]));
  if (!allowed(limits, wanted)) return [];
  return [{ entry: { path: place, native: isNative(tree, place, manifest, limits) }, next: place, peer }];
}

/** Node's algorithm: node_modules of the package, then of every folder above it. */
function lookup(tree, path, name) {
  for (let folder = path; ; folder = dirname(folder)) {
    const place = join(folder, 'node_modules', name);
    if (basename(folder) !== 'node_modules' && lstatSync(join(tree, place), { throwIfNoEntry: false })) return place;
    if (folder === '' || folder === '.') return '';
  }
}

function isNative(tree, path, { scripts = {}, dependencies = {}, optionalDependencies = {} }, limits) {
  return constrained(limits) || NATIVE_HELPERS.some((name) => name in dependencies || name in optionalDependencies)
    || ['preinstall', 'install', 'postinstall'].some((name) => name in scripts)
    || Boolean(lstatSync(join(tree, path, 'binding.gyp'), { throwIfNoEntry: false }));
}

// ---- builds

/**
 * Gives each stage the part of node_modules that it reaches, so that its files change with its own dependencies only: the
 * root's folder as OUT/STAGE/node_modules, to be mounted, and what lies in packages' folders as OUT/STAGE/app, to be copied.
 * The first stage gets copies, the others hard links to these, so that files take their place once. A link to a file of
 * the tree, which a lower layer has, would make overlayfs copy that up: four times as slow as a copy.
 */
function carveBuilds({ tree, plan: planFile, out }) {
  const { packages, stages, lockfile } = readJson(planFile);
  const members = new Set(packages);
  const items = packages.flatMap((path) => [...itemsIn(tree, join(path, 'node_modules'))]);
  const usersOf = stageUsers(tree, items, { members, stages });
  const uses = items.map((item) => ({ item, users: usersOf(item) }));
  const lock = lockfile && readFileSync(join(tree, lockfile), 'utf8');
  const copies = new Map();
  for (const [name, stage] of Object.entries(stages)) {
    for (const folder of ['node_modules', 'app']) mkdirSync(join(out, name, folder), { recursive: true });
    const mine = uses.filter(({ users }) => users.has(name)).map(({ item }) => item);
    for (const item of mine) {
      const to = join(out, name, item.path.startsWith('node_modules/') ? '' : 'app');
      placeItem(item, copies.get(item) ?? tree, to, copies.has(item) ? linkFile : copyFile);
      copies.set(item, copies.get(item) ?? to);
    }
    if (lock) writeFileSync(join(out, name, 'app', lockfile), lockOf(lock, new Set(['', ...stage.packages, ...mine.map(({ path }) => path)])));
  }
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
 * What lies in a node_modules folder, as {path, link} for links, {path, store} for pnpm's, {path, made} for what a script made
 * beside packages (.prisma). Files beside packages (.package-lock.json, .modules.yaml) tell of the whole installation: no build
 * reads them, and every update changes them.
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
    else if (each.isDirectory()) yield { path, store: true };
  }
}

/** item -> the stages that need it. */
function stageUsers(tree, items, { members, stages }) {
  const units = new Map(items.filter(({ link, made }) => !link && !made).map(({ path }) => [path, new Set()]));
  const unitOf = (path) => (path === '.' || units.has(path) || members.has(path) ? path : unitOf(dirname(path)));
  const steps = buildSteps(tree, members);
  const types = list(join(tree, 'node_modules/@types')).map(({ name }) => `@types/${name}`); // TypeScript reads all of them
  for (const [stage, { packages, extra }] of Object.entries(stages)) {
    for (const path of reachable(['', ...packages], [...types, ...extra], steps)) units.get(unitOf(path))?.add(stage);
  }
  const having = (member) => new Set(Object.keys(stages).filter((stage) => stages[stage].packages.includes(member)));
  return ({ path, link, made }) => {
    if (made) return new Set(Object.keys(stages));
    const home = path.slice(0, path.indexOf('node_modules')).replace(/\/$/, '');
    if (home) return link ? having(home) : units.get(path);
    const target = link ? unitOf(link) : path;
    return members.has(target) ? having(target) : units.get(target) ?? new Set();
  };
}

/** Every installed package that the steps lead to from some packages; workspace packages on the way are not followed. */
function reachable(starts, extra, steps) {
  const seen = new Set();
  const queue = starts.flatMap((path) => [...steps(path), ...steps(path, extra)]);
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    queue.push(...steps(path));
  }
  return seen;
}

/** path of a package -> the packages that it finds under the names of its dependencies, or under other names. */
function buildSteps(tree, members) {
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
    return found(path, tables.flatMap((table) => Object.keys(table ?? {})));
  };
  return (path, names) => (names ? found(path, names) : known.get(path) ?? known.set(path, look(path)).get(path));
}

/** Puts an item of the tree at `from` below `to`; `place` puts each of its files there. */
function placeItem({ path, link, store, made }, from, to, place) {
  mkdirSync(join(to, dirname(path)), { recursive: true });
  if (link) symlinkSync(readlinkSync(join(from, path)), join(to, path));
  else placeTree(join(from, path), join(to, path), place, (below) => store || made || below !== 'node_modules');
}

function placeTree(from, to, place, enters, below = '') {
  mkdirSync(join(to, below), { recursive: true });
  for (const each of readdirSync(join(from, below), { withFileTypes: true })) {
    const path = join(below, each.name);
    if (each.isSymbolicLink()) symlinkSync(readlinkSync(join(from, path)), join(to, path));
    else if (each.isFile()) place(join(from, path), join(to, path));
    else if (each.isDirectory() && enters(path)) placeTree(from, to, place, enters, path);
  }
}

/** A copy with mode and time: `tsc -b` builds again what is older than the package.json files that it looked at. */
function copyFile(from, to) {
  copyFileSync(from, to);
  const { atime, mtime } = lstatSync(from);
  utimesSync(to, atime, mtime);
}

/** A copy where a link cannot be: file systems limit how many a file may have. */
function linkFile(from, to) {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!['EMLINK', 'EPERM', 'EXDEV'].includes(error.code)) throw error;
    copyFile(from, to);
  }
}

// ---- package

function carvePackage({ tree, spec: specFile, out }) {
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
  const extra = (spec.extra ?? []).map((path) => extraFiles(tree, path, { where, key: `packages."${spec.path || '.'}".outputs` }));
  copyPackage(tree, [{ path: spec.path, files: new Set(files) }, ...extra], { out, executables: executablesOf(manifest) });
}

/** A file or folder elsewhere in the tree that belongs to the package: what its build writes there, a shared tsconfig. */
function extraFiles(tree, path, { where, key }) {
  const [name, folder] = [normalize(path).replace(/\/$/, ''), dirname(normalize(path).replace(/\/$/, ''))];
  if (leaves(name)) fail(`${where}: ${path}: not a path inside the tree`);
  const kind = lstatSync(join(tree, name), { throwIfNoEntry: false });
  if (!kind) fail(`${where}: ${path} is not there after the build; correct ${key}`);
  if (!kind.isDirectory()) return { path: folder, files: new Set([basename(name)]) };
  const never = glob(NEVER);
  return { path: name, files: new Set(walk(join(tree, name), (each) => !never(each)).filter((each) => !never(each))) };
}

function packageFiles(from, { files, exclude = [], others = [], sources = false }) {
  const never = glob(NEVER);
  const listed = glob(files ?? ['**']);
  const buildTime = glob(files ? [] : BUILD_TIME);
  const typescript = glob(files || sources ? [] : TYPESCRIPT);
  const readByTsx = glob(sources ? READ_BY_TSX : []);
  const excluded = glob(exclude);
  const other = new Set(others); // other packages' folders
  const keeps = (path) => path === 'package.json'
    || (listed(path) && !excluded(path) && !typescript(path) && (!buildTime(path) || readByTsx(path)));
  return walk(from, (path) => !never(path) && !other.has(path)).filter((path) => !never(path) && keeps(path));
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

// ---- files

/** Every file and link below a directory, sorted, as paths relative to it. */
function walk(directory, enters, below = '') {
  return list(join(directory, below)).flatMap((each) => {
    const path = join(below, each.name);
    if (!each.isDirectory()) return [path];
    return enters(path) ? walk(directory, enters, path) : [];
  });
}

function list(directory) {
  try {
    return readdirSync(directory, { withFileTypes: true }).sort((a, b) => compare(a.name, b.name));
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Brings a directory to its place, in place when it was moved there: what is not kept goes, the rest is normalised. */
function carveDirectory(job, below = '') {
  const { from, to, keeps, enters } = job;
  const size = { bytes: 0, files: 0, links: 0 };
  if (from !== to) mkdirSync(join(to, below), { recursive: true });
  for (const each of readdirSync(join(from, below), { withFileTypes: true })) {
    const path = join(below, each.name);
    if (each.isDirectory() ? enters(path) : keeps(path)) add(size, carveOne(job, path, each));
    else if (from === to) rmSync(join(to, path), { recursive: true });
  }
  if (below && !size.files && !size.links) rmdirSync(join(to, below));
  else stamp(join(to, below), 0o755);
  return size;
}

function carveOne(job, path, kind) {
  if (kind.isDirectory()) return carveDirectory(job, path);
  if (kind.isSymbolicLink()) return carveLink(job, path);
  return kind.isFile() ? carveFile(job, path) : {};
}

function carveFile({ from, to, executables }, path) {
  const [source, target] = [join(from, path), join(to, path)];
  const { mode, size } = lstatSync(source);
  const wanted = mode & 0o111 || executables?.has(path) ? 0o755 : 0o644;
  if (source !== target) copyFileSync(source, target); // with its mode
  if ((mode & 0o7777) !== wanted) chmodSync(target, wanted);
  utimesSync(target, TIME, TIME);
  return { bytes: size, files: 1 };
}

/** A link that leaves the tree (node-gyp's python3) would dangle in the image. */
function carveLink({ tree, from, to, home }, path) {
  const target = readlinkSync(join(from, path));
  const [here, there] = [dirname(join(home, path)), isAbsolute(target) ? target : join(dirname(join(home, path)), target)];
  rmSync(join(to, path), { force: true });
  if (leaves(relative(tree, there))) return {};
  writeLink(join(to, path), relative(here, there));
  return { links: 1 };
}

function add(size, { bytes = 0, files = 0, links = 0 }) {
  size.bytes += bytes;
  size.files += files;
  size.links += links;
}

function makeParents(root, path, directories) {
  mkdirSync(join(root, dirname(path)), { recursive: true });
  for (const each of ancestors(path)) directories.add(each);
}

/** "a/b/c" -> "a/b", "a" */
function ancestors(path) {
  const parent = dirname(path);
  return parent === '.' ? [] : [parent, ...ancestors(parent)];
}

function writeLink(path, target) {
  symlinkSync(target, path);
  lutimesSync(path, TIME, TIME);
}

function writeStamped(path, text) {
  writeFileSync(path, text);
  stamp(path, 0o644);
}

function stamp(path, mode) {
  chmodSync(path, mode);
  utimesSync(path, TIME, TIME);
}

// ---- binaries

// Numbers from the ELF specification (elf.h).
const ELF = 0x7f454c46;
const MACHINES = { 3: '386', 8: 'mips', 20: 'ppc', 21: 'ppc64', 22: 's390x', 40: 'arm', 62: 'amd64', 183: 'arm64', 243: 'riscv64', 258: 'loong64' };
const SYSTEMS = { 2: 'netbsd', 6: 'solaris', 9: 'freebsd', 12: 'openbsd' }; // EI_OSABI; 0 and 3 are Linux
const SEGMENT = { load: 1, dynamic: 2, interpreter: 3, note: 4 };
const TAG = { needed: 1, strings: 5 };
const MOST_READ = 1 << 20; // bytes of one segment or name table; real ones are far smaller

/** [] or what the file is for: {path, system, arch, libc, linkable}. linkable: an ELF file, that Linux would try to load. */
function binary(directory, path) {
  if (!lstatSync(join(directory, path)).isFile()) return [];
  const file = openSync(join(directory, path), 'r');
  try {
    const magic = read(file, 0, 4);
    if (magic.length < 4) return [];
    if (magic.readUInt32BE() === ELF) return readElf(file).map((found) => ({ path, linkable: true, ...found }));
    const system = systemOf(magic, path);
    return system ? [{ path, linkable: false, system, arch: '', libc: '' }] : [];
  } finally {
    closeSync(file);
  }
}

/** Windows and macOS binaries are told from text by magic and name together: a Java class begins like a fat Mach-O. */
function systemOf(magic, path) {
  if (!/\.(node|exe|dll|dylib)$/.test(path)) return '';
  if (magic.toString('latin1', 0, 2) === 'MZ') return 'windows';
  return ['cffaedfe', 'cefaedfe', 'cafebabe'].includes(magic.toString('hex')) ? 'darwin' : '';
}

function fits(found, { platform, libc }) {
  const [system, arch] = platform.split('/');
  return found.system === system && found.arch === arch && (!found.libc || !libc || found.libc === libc);
}

const parsePlatform = ({ platform, libc }) => ({ system: platform.split('/')[0], arch: platform.split('/')[1], libc });
const describe = ({ system, arch, libc }) => [system, arch].filter(Boolean).join('/') + (libc ? ` (${libc})` : '');

function readElf(file) {
  const elf = openElf(read(file, 0, 64));
  if (!elf) return [];
  const segments = elf.segments((offset, length) => read(file, offset, length));
  const text = (kind) => segments.filter(({ type }) => type === kind).map((each) => each.bytes().toString('latin1')).join('\0');
  const system = SYSTEMS[elf.abi] ?? /(Android|NetBSD|OpenBSD|FreeBSD)\0/.exec(text(SEGMENT.note))?.[1].toLowerCase() ?? 'linux';
  return [{ system, arch: elf.arch, libc: libcOf([text(SEGMENT.interpreter), ...needed(elf, segments)]) }];
}

/** A static binary names neither an interpreter nor a libc and runs on any. */
function libcOf(names) {
  if (names.some((name) => /(^|\/)(ld-musl-|libc\.musl-)/.test(name) || name === 'libc.so')) return 'musl';
  return names.some((name) => /(^|\/)(ld-linux|ld64\.so|ld\.so|libc\.so\.6)/.test(name)) ? 'glibc' : '';
}

/** Reads fields of either width and byte order; null when the header is cut short (a test's fixture, say). */
function openElf(header) {
  if (header.length < 52) return null;
  const [wide, little] = [header[4] === 2, header[5] === 1];
  if (wide && header.length < 64) return null;
  const half = (bytes, at) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const word = (bytes, at) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const address = (bytes, at) => (wide ? Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)) : word(bytes, at));
  const machine = half(header, 18);
  const arch = (MACHINES[machine] ?? `machine ${machine}`) + ([8, 21].includes(machine) && little ? 'le' : '');
  const [table, size, count] = wide ? [address(header, 32), half(header, 54), half(header, 56)]
    : [word(header, 28), half(header, 42), half(header, 44)];
  const segments = (readAt) => {
    const least = wide ? 56 : 32;
    const rows = size < least ? [] : split(readAt(table, size * count), size, least);
    return rows.map((row) => segmentOf(row, { wide, word, address, readAt }));
  };
  return { abi: header[7], arch, wide, address, segments };
}

function segmentOf(row, { wide, word, address, readAt }) {
  const [offset, base, size] = (wide ? [8, 16, 32] : [4, 8, 16]).map((at) => address(row, at));
  return { type: word(row, 0), offset, base, size, bytes: () => readAt(offset, size), readAt };
}

/** The names of the libraries that the dynamic section asks for. */
function needed({ wide, address }, segments) {
  const width = wide ? 8 : 4;
  const dynamic = segments.find(({ type }) => type === SEGMENT.dynamic);
  const rows = split(dynamic?.bytes() ?? Buffer.alloc(0), 2 * width, 2 * width).map((row) => [address(row, 0), address(row, width)]);
  const strings = rows.find(([tag]) => tag === TAG.strings)?.[1];
  const home = segments.find(({ type, base, size }) => type === SEGMENT.load && strings >= base && strings < base + size);
  if (!home) return [];
  const names = home.readAt(home.offset + strings - home.base, home.base + home.size - strings).toString('latin1');
  return rows.filter(([tag]) => tag === TAG.needed).map(([, at]) => names.slice(at, names.indexOf('\0', at)));
}

function split(bytes, step, least) {
  const rows = [];
  for (let at = 0; at + least <= bytes.length; at += step) rows.push(bytes.subarray(at, at + step));
  return rows;
}

function read(file, offset, length) {
  const sane = Number.isSafeInteger(offset) && length > 0;
  const bytes = Buffer.alloc(sane ? Math.min(length, MOST_READ) : 0);
  return bytes.subarray(0, sane ? readSync(file, bytes, 0, bytes.length, offset) : 0);
}

// ---- paths and patterns

/**
 * A test for paths: `*` and `?` within a name, `**` across names, `{a,b}` either; a pattern that names a directory means
 * all below it. Brackets are ordinary, because Next.js has files named [id].js.
 */
export function glob(patterns) {
  if (!patterns.length) return () => false;
  const sources = patterns.map((pattern) => translate(pattern.replace(/^\.\//, '').replace(/\/+$/, '')));
  const expression = new RegExp(`^(?:${sources.join('|')})(?:/.*)?$`, 's');
  return (path) => expression.test(path);
}

function translate(pattern) {
  let depth = 0;
  return pattern.replace(/\*\*\/|\*\*|[*?{},]|[[\]().+^$|\\]/g, (token) => {
    if (token === '{') depth += 1;
    if (token === '}') depth = Math.max(0, depth - 1);
    if (token === ',') return depth ? '|' : ',';
    return { '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]', '{': '(?:', '}': ')' }[token] ?? `\\${token}`;
  });
}

const leaves = (path) => isAbsolute(path) || normalize(path).split('/')[0] === '..';
const compare = (a, b) => Number(a > b) - Number(a < b);
const byPath = (a, b) => compare(a.path, b.path);
const sorted = (pairs) => Object.fromEntries([...pairs].sort(([a], [b]) => compare(a, b)));

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const complaint = main(process.argv.slice(2));
  if (complaint) console.error(complaint);
  process.exitCode = complaint ? 1 : 0;
}
