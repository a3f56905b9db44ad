// What compilers and bundlers keep from one build of a package for the next. No dependencies, Node 18.3 or newer.
//
//   node state.mjs restore --tree /app --home apps/web --state /bake/state --of 1f0c… --hidden TOKEN [--results dist:src]
//   node state.mjs save    --tree /app --home apps/web --state /bake/state --hidden TOKEN --secrets /run/secrets/x
//   node state.mjs give --state /bake/state --out /kept         node state.mjs take --state /bake/state --from /taken
//
// A build has to give the same files with and without. So state is kept of folders alone that their tools look up by
// content, and comes back only when nothing but sources has changed, which these tools follow by themselves. Whatever
// else is different (settings, what settings name, data, dependencies, arguments, Node), or a file that is gone, makes
// a build begin afresh. Nothing of it stays in the build's folder.
//
// Of a build that runs only the TypeScript compiler, --results says where it writes what is compiled of which folder. What
// it noted (.tsbuildinfo) is kept with all that it wrote, each file of which belongs to a source.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

const FORMAT = 1;
/** Past so many bytes state begins afresh: some tools never throw away what they no longer need. */
const MOST = 2 * 1024 ** 3;

/** Of Next.js, below `<distDir>/cache`, without what was fetched: its webpack cache is one for the key in .rscinfo. */
const OF_NEXT = ['webpack', 'swc', 'turbopack', '.tsbuildinfo', '.rscinfo'];
/** In node_modules/.cache: what tools of others keep there whose results stand for files, or who judge by times. */
const NOT_KEPT = new Set(['turbo', 'nx', 'eslint', 'prettier', 'gh-pages', 'puppeteer']);
const OF_PACKAGE = ['.angular/cache', '.parcel-cache', 'node_modules/.astro/assets'];

/** Sources that tools follow by content. */
const SOURCE = /\.(?:[cm]?[jt]sx?|vue|svelte|css|scss|sass|less)$/;
const SCRIPT = /\.[cm]?[jt]sx?$/;
/** Names of what tools are set up with, and of folders that hold such things. */
const SETTING = /config|setup|(?:^|[.-])(?:rc|env|macro|plugin|loader|preset)(?:[.-]|$)|rc\.[cm]?[jt]s$/i;
const SETTINGS = new Set(['config', 'configs', 'scripts', 'tools', 'tooling', 'build', 'bin', 'babel', 'webpack', 'plugins', 'loaders', 'macros']);
/** Files that name packages, and do not mean that these say how to build. */
const LISTS = /^(?:package|[tj]sconfig.*|turbo|nx|project|lerna|angular|vercel)\.json$/;
const LOCKS = new Set(['package-lock.json', 'npm-shrinkwrap.json']);
/** Packages whose sources read other files while they are compiled, of which nothing tells their tools. */
const READS_MORE = /preval|\.macro$|babel-plugin-(?:inline-import|import-glob|require-context)/;
/** Variables that are different in every container, and those of the shell. */
const OWN = new Set(['HOSTNAME', 'HOME', 'PWD', 'OLDPWD', 'SHLVL', '_', 'TERM']);

const { positionals: [command], values } = parseArgs({
  allowPositionals: true,
  options: Object.fromEntries(
    ['tree', 'home', 'state', 'of', 'hidden', 'secrets', 'out', 'from', 'results', 'unpacked'].map((name) => [name, { type: 'string', default: '' }]),
  ),
});
const { tree, home } = values;
const place = (name) => path.join(values.state, name);
const words = (text) => text.split(',').filter(Boolean);
const say = (text) => console.log(`${home || 'the root'}: ${text}`);
/** Where unpack.mjs lists what builds have of node_modules. */
const unpacked = values.unpacked || '/bake/unpacked';
/** Folders of what the compiler writes, each with that of the sources; null for other builds. */
const results = values.results ? values.results.split(',').map((pair) => pair.split(':')) : null;
const sha = (...parts) => parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex');

function entries(folder) {
  try {
    return fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}

/** The files and links below a folder, as paths relative to `root`. skips: names of folders. */
function* files(root, below = '', skips = () => false) {
  for (const one of entries(path.join(root, below))) {
    const file = path.join(below, one.name);
    if (!one.isDirectory()) yield file;
    else if (!skips(one.name, file)) yield* files(root, file, skips);
  }
}

function contentOf(file) {
  const found = fs.lstatSync(file);
  if (found.isSymbolicLink()) return `-> ${fs.readlinkSync(file)}`;
  if (!found.isFile()) return 'no file';
  return file.endsWith('.node') ? `${found.size}` : sha(fs.readFileSync(file));
}

/** Every file that a build sees but its dependencies: path -> what is in it. */
function sourcesOf() {
  const all = files(tree, '', (name) => name === 'node_modules' || name === '.git');
  return Object.fromEntries([...all].map((file) => [file, contentOf(path.join(tree, file))]));
}

function* dependencyFolders(below = '') {
  for (const one of entries(path.join(tree, below)).filter((each) => each.isDirectory() && each.name !== '.git')) {
    const folder = path.join(below, one.name);
    if (one.name === 'node_modules') yield folder;
    else yield* dependencyFolders(folder);
  }
}

/** What is installed, but for what builds write there (.cache, .prisma, .vite): as unpack.mjs says, where it came in packs. */
function toolsOf() {
  return fs.existsSync(unpacked) ? sha(fs.readFileSync(unpacked)) : installedFiles();
}

function installedFiles() {
  const hash = createHash('sha256');
  const written = (name) => name.startsWith('.') && name !== '.pnpm' && name !== '.bin';
  for (const folder of dependencyFolders()) {
    for (const file of files(tree, folder, written)) {
      if (!path.basename(file).startsWith('.')) hash.update(`${file}\0${contentOf(path.join(tree, file))}\0`);
    }
  }
  return hash.digest('hex');
}

/** What a build is told: its command and variables, but for secrets. */
function wordsOf() {
  const hidden = new Set([...OWN, ...words(values.hidden)]);
  const told = Object.entries(process.env).filter(([name]) => !hidden.has(name)).sort();
  return sha(values.of, process.version, process.platform, process.arch, JSON.stringify(told));
}

const readJson = (file) => {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
};

// --- what has changed -------------------------------------------------------------------------------------------------

/** What a text leads to: whatever is a path in it, quoted or not. */
const paths = (text) => text.match(/[@\w.$-]*(?:\/[@\w.$-]+)+/g) ?? [];

/** A setting's text without the packages that a bundler is to compile, which are sources. */
const readSetting = (file) => fs.readFileSync(path.join(tree, file), 'utf8').replace(/transpilePackages\s*:\s*\[[^\]]*\]/g, '');

const stem = (file) => path.basename(file).replace(/\.[^.]+$/, '');
const stemOf = (file) => (stem(file) === 'index' ? path.basename(path.dirname(file)) : stem(file));

/** A test for files that are no sources but what tools are set up with: by name and place, or named by such a file. */
function settingsAmong(sources) {
  const homes = new Map([['', '']]);
  for (const file of sources.filter((each) => path.basename(each) === 'package.json')) {
    homes.set(path.dirname(file) === '.' ? '' : path.dirname(file), readJson(path.join(tree, file))?.name ?? '');
  }
  const folders = [...homes.keys()].sort((a, b) => b.length - a.length);
  const homeOf = (file) => folders.find((folder) => !folder || file.startsWith(`${folder}/`));
  const isPlain = (file) => {
    const parts = path.relative(homeOf(file), file).split('/');
    return parts.length > 1 && !SETTING.test(stem(file)) && !parts.slice(0, -1).some((part) => SETTINGS.has(part));
  };
  const found = new Set(sources.filter((file) => !isPlain(file)));
  const rest = new Set(sources.filter((file) => SOURCE.test(file) && !found.has(file)));
  const [names, packages] = [new Set(), new Set()];
  const isOwn = (file) => path.basename(file) !== 'package.json' || homeOf(file) === home;
  let queue = [...found].filter((file) => isOwn(file) && !LOCKS.has(file));
  while (queue.length) {
    for (const file of queue.filter((each) => SCRIPT.test(each) || /rc$|\.json$/.test(each))) {
      const text = readSetting(file);
      paths(text).forEach((one) => names.add(stemOf(one)));
      if (!LISTS.test(path.basename(file))) [...homes.values()].filter((one) => one && text.includes(one)).forEach((one) => packages.add(one));
    }
    const isNamed = (file) => homeOf(file) && homeOf(file) !== home && packages.has(homes.get(homeOf(file)));
    queue = [...rest].filter((file) => names.has(stemOf(file)) || isNamed(file));
    queue.forEach((file) => found.add(file) && rest.delete(file));
  }
  return (file) => found.has(file);
}

/** Whether the tools see by themselves that a file has changed. The compiler knows declarations by content, and others' notes by time. */
const isFollowed = (file) => (results ? SOURCE.test(file) || NOTES.test(file) : SOURCE.test(file) && !file.endsWith('.d.ts'));

/** Why state is of no use for what is there now, or ''; files that are new or different are in `changed`. */
function difference(kept, now, changed) {
  const gone = Object.keys(kept.sources).find((file) => !(file in now.sources));
  if (gone) return `${gone} is gone`;
  changed.push(...Object.keys(now.sources).filter((file) => kept.sources[file] !== now.sources[file]));
  const other = changed.find((file) => !isFollowed(file));
  if (other) return `${other} has changed`;
  const isSetting = changed.length && !results ? settingsAmong(Object.keys(now.sources)) : () => false;
  const setting = changed.find(isSetting);
  if (setting) return `${setting} has changed, which may say how to build`;
  if (kept.words !== now.words) return 'its command, arguments or Node have changed';
  return kept.tools === toolsOf() ? '' : 'its dependencies have changed';
}

// --- the compiler -----------------------------------------------------------------------------------------------------

const NOTES = /\.tsbuildinfo$/;
const COMPILED = /(?<!\.d)\.([cm]?)[jt]sx?$/;
const OLD = 946684800; // 2000-01-01T00:00:00Z in seconds: older than any source, so that the compiler looks at what is in them

/** The sources of the package that the compiler noted, and their results; undefined when its notes are unknown ones. */
function noted(note) {
  const { program, fileNames = program?.fileNames } = readJson(path.join(tree, note)) ?? {};
  if (!Array.isArray(fileNames)) return undefined;
  const own = fileNames.map((name) => path.join(path.dirname(note), name)).filter((file) => file.startsWith(`${home}/`));
  const sources = own.filter((file) => !file.includes('/node_modules/') && !isWritten(file) && (COMPILED.test(file) || file.endsWith('.json')));
  return sources.map((source) => results.flatMap((pair) => madeOf(source, pair)));
}

const isWritten = (file) => results.some(([written]) => file.startsWith(`${path.join(home, written)}/`));

/** What the compiler makes of a source, as far as it is there; none without its code. */
function madeOf(source, [written, folder]) {
  const inside = path.relative(path.join(home, folder), source);
  if (inside.startsWith('..')) return [];
  const place = path.join(home, written, inside);
  const [, kind] = COMPILED.exec(place) ?? [];
  const stem = place.replace(COMPILED, '');
  const isThere = (file) => fs.existsSync(path.join(tree, file));
  const code = (kind === undefined ? [place] : [`${stem}.${kind}js`, `${stem}.${kind}jsx`]).filter(isThere);
  const declared = kind === undefined ? [] : [`${stem}.d.${kind}ts`];
  return code.length ? [...code, ...[...declared, ...[...code, ...declared].map((file) => `${file}.map`)].filter(isThere)] : [];
}

/**
 * The compiler's notes and what it wrote; undefined when nothing tells. whole: each source that it noted has its code, none
 * has moved or gone.
 */
function compiledFiles() {
  const notes = [...files(tree, home, (name) => name === 'node_modules')].filter((file) => NOTES.test(file));
  const made = notes.map(noted);
  if (!notes.length || made.includes(undefined)) return undefined;
  return { found: new Set([...notes, ...made.flat(2)]), whole: made.flat().every((each) => each.length) };
}

/** Results that the build began with, of sources that are compiled no more. */
function removeLost(found) {
  const timeOf = (file) => fs.lstatSync(path.join(tree, file), { throwIfNoEntry: false })?.mtimeMs;
  const lost = [...files(place('kept'))].filter((file) => !found.has(file) && timeOf(file) === OLD * 1000);
  for (const file of lost) fs.rmSync(path.join(tree, file));
}

/** Keep what the compiler wrote. It stays, and is of now: `tsc -b` of others compares times. */
function saveCompiled(now) {
  const { found, whole } = compiledFiles() ?? {};
  if (found) {
    removeLost(found);
    touch(found);
  }
  clear();
  if (!now || !whole) return false;
  for (const file of found) {
    fs.mkdirSync(path.dirname(place(`kept/${file}`)), { recursive: true });
    fs.copyFileSync(path.join(tree, file), place(`kept/${file}`));
  }
  return true;
}

function age() {
  for (const file of files(place('kept'))) fs.utimesSync(path.join(tree, file), OLD, OLD);
}

// --- the folders ------------------------------------------------------------------------------------------------------

/** The folders and files that are kept, relative to the tree. */
function* folders() {
  for (const owner of new Set([home, ''])) {
    const cache = path.join(owner, 'node_modules/.cache');
    yield* entries(path.join(tree, cache)).filter((one) => !NOT_KEPT.has(one.name)).map((one) => path.join(cache, one.name));
  }
  for (const one of entries(path.join(tree, home)).filter((each) => each.isDirectory() && each.name !== 'node_modules')) {
    const cache = path.join(home, one.name, 'cache');
    if (['.previewinfo', 'webpack'].some((name) => fs.existsSync(path.join(tree, cache, name)))) {
      yield* OF_NEXT.map((name) => path.join(cache, name)).filter((name) => fs.existsSync(path.join(tree, name)));
    }
  }
  yield* OF_PACKAGE.map((name) => path.join(home, name)).filter((name) => fs.existsSync(path.join(tree, name)));
}

const copied = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true };

/** Astro says beside an image of another server until when that one is good. */
const isFetched = (file) => /\.astro\/assets\/.*\.json$/.test(file);

function* secrets() {
  const texts = words(values.hidden).map((name) => process.env[name] ?? '');
  for (const file of words(values.secrets).filter((each) => fs.existsSync(each))) texts.push(fs.readFileSync(file, 'utf8'));
  for (const text of texts) {
    const parts = [text, ...text.split(/[\n=]/)].map((part) => part.trim().replace(/^["']|["']$/g, ''));
    for (const part of new Set(parts.filter((each) => each.length >= 6))) {
      yield* [part, JSON.stringify(part).slice(1, -1), Buffer.from(part).toString('base64').replace(/=+$/, ''), encodeURIComponent(part)];
    }
  }
}

function holdsSecret(folder) {
  const wanted = [...new Set(secrets())].map((text) => Buffer.from(text));
  const holds = (bytes) => wanted.some((one) => bytes.includes(one));
  return wanted.length > 0 && [...files(folder)].some((file) => {
    const bytes = fs.readFileSync(path.join(folder, file));
    if (holds(bytes)) return true;
    try {
      return bytes[0] === 0x1f && bytes[1] === 0x8b && holds(gunzipSync(bytes));
    } catch {
      return true;
    }
  });
}

const isSmall = (folder) => {
  const sizes = [...files(folder)].map((file) => fs.lstatSync(path.join(folder, file)).size);
  return sizes.reduce((sum, size) => sum + size, 0) <= MOST;
};

function clear() {
  for (const name of ['kept.json', 'kept']) fs.rmSync(place(name), { recursive: true, force: true });
}

/** Touch what has changed: some tools take a file of the same time for the same. */
function touch(changed) {
  const now = new Date();
  for (const file of changed) fs.lutimesSync(path.join(tree, file), now, now);
}

function restore() {
  const now = { format: FORMAT, words: wordsOf(), sources: sourcesOf() };
  fs.writeFileSync(place('now.json'), JSON.stringify(now));
  const kept = readJson(place('kept.json'));
  if (kept?.format !== FORMAT) return clear();
  const changed = [];
  const why = difference(kept, now, changed);
  if (why) {
    clear();
    return say(`begins without what its last build kept: ${why}`);
  }
  fs.cpSync(place('kept'), tree, copied);
  if (results) age();
  touch(changed);
  return say('begins with what its last build kept');
}

/** Whether a package is installed whose sources read more than their tools know of. */
function readsMore() {
  const names = [...dependencyFolders()].flatMap((folder) => entries(path.join(tree, folder)).map((one) => one.name));
  return names.some((name) => READS_MORE.test(name));
}

/** Keep what tools have in folders of their own, which go. */
function saveFolders() {
  clear(); // what a build does not get through with is not half there
  const found = [...folders()];
  for (const name of found) {
    fs.cpSync(path.join(tree, name), place(`kept/${name}`), { ...copied, filter: (file) => !isFetched(file) });
    fs.rmSync(path.join(tree, name), { recursive: true });
  }
  return found.length > 0;
}

function save() {
  const now = readJson(place('now.json'));
  const some = results ? saveCompiled(now) : saveFolders();
  if (!now || !some) return clear();
  const why = (!results && readsMore() && 'a plugin reads files that nothing tells of') || (holdsSecret(place('kept')) && 'a secret is in it')
    || (!isSmall(place('kept')) && 'it has become too big');
  if (why) {
    clear();
    return say(`nothing is kept for its next build: ${why}`);
  }
  return fs.writeFileSync(place('kept.json'), JSON.stringify({ ...now, tools: toolsOf() }));
}

function move(from, to) {
  if (!fs.existsSync(path.join(from, 'kept.json')) || fs.existsSync(path.join(to, 'kept.json'))) return;
  fs.mkdirSync(to, { recursive: true });
  fs.cpSync(path.join(from, 'kept'), path.join(to, 'kept'), copied);
  fs.copyFileSync(path.join(from, 'kept.json'), path.join(to, 'kept.json'));
}

/** Run what is of use alone: a build does not fail by it. */
function trying(deed, undo) {
  try {
    deed();
  } catch (error) {
    undo();
    say(`nothing is kept for its next build: ${error.message}`);
  }
}

const remove = (names) => names.forEach((name) => fs.rmSync(path.join(tree, name), { recursive: true, force: true }));

const commands = {
  restore: () => trying(restore, () => remove(results ? [...files(place('kept'))] : [...folders()]) ?? clear()),
  save: () => trying(save, clear),
  give: () => fs.mkdirSync(values.out, { recursive: true }) && move(values.state, values.out),
  take: () => move(values.from, values.state),
};
commands[command]();
