// What processes read of the tree, found by following their code with @vercel/nft: the lower bound of an image.
import { existsSync, lstatSync, promises, readFileSync, statSync } from 'node:fs';
import nodeModule, { createRequire } from 'node:module';
import { keptAnalyses, namesBelow } from './analyses.mjs';
import { glob } from './glob.mjs';
import { ancestors, basename, compare, dirname, isAbsolute, join, leaves, packageName, relative } from './paths.mjs';
import { walk } from './files.mjs';
import { plainLoads } from './suspect.mjs';

const SCRIPT = /(?<!\.d)\.[cm]?[jt]sx?$/; // nothing runs declarations
const TYPED = /\.[cm]?tsx?$/;
const RUNS = /\.[cm]?js$/;
const ROUNDS = 5; // of entries that only a text in the code names

/**
 * Files of the tree that processes read and the image would not hold, as {path, reader, line, way}.
 *
 * tools: where @vercel/nft is installed. spec: what the plan says, with `members` (name -> path of workspace packages) and
 * `aliases` (pattern -> paths). analyses: file that keeps what parsing found. held: whether the image has a file; doubtful:
 * whether a rule by name leaves it out.
 */
export async function traceFiles({ tree, tools, analyses = '', home, entries, starts = [home], links = {}, members = {}, aliases = {}, never, foreign = [] }, { held, doubtful }) {
  const { nodeFileTrace, resolve } = createRequire(join(tools, 'package.json'))('@vercel/nft');
  const texts = new Map();
  const plain = plainLoads(tools);
  const forbidden = glob(never);
  const others = glob(foreign);
  const away = (path) => leaves(path) || forbidden(path) || others(path) || path.split('/').includes('node_modules');
  const options = {
    base: tree,
    ignore: away,
    mixedModules: true, // modules of either kind may have a `require`
    readFile: (path) => readSource(path, texts, plain),
    resolve: resolver({ tree, home, members, aliases, resolve }),
  };
  const kept = keptAnalyses(analyses, analyses && [tree, never, foreign, versions(tools), namesBelow(tree)]);
  const caches = new Map(starts.map((start) => [start, { analysisCache: kept.begin(start, (path, text) => texts.set(path, text)) }]));
  const found = new Map();
  for (let [round, next] = [0, entries.map((path) => join(tree, path)).filter(existsSync)]; next.length && round < ROUNDS; round += 1) {
    for (const start of starts) {
      const { fileList, reasons } = await nodeFileTrace(next, { ...options, processCwd: join(tree, start), cache: caches.get(start) });
      for (const path of fileList) if (!found.has(path)) note(found, path, reasons.get(path));
    }
    const read = [...texts].sort(([a], [b]) => compare(a, b)); // the first that names a file is its reader
    const named = [...namedIn(read, { tree, home, starts, away }), ...linkedIn(read, { tree, home, links, away })];
    for (const each of named) if (!found.has(each.path)) found.set(each.path, each);
    next = named.map(({ path }) => join(tree, path)).filter((path) => SCRIPT.test(path) && !texts.has(path));
  }
  kept.save(texts);
  for (const { path } of found.values()) { // grows while it is walked
    if (path.endsWith('.proto')) for (const each of importedBy(path, tree)) found.set(each.path, found.get(each.path) ?? each);
  }
  const files = [...found.values()].filter(({ path }) => !away(path) && !held(path) && isFile(join(tree, path)));
  const isData = dataFolders(texts, { tree, home, entries });
  return files.map((each) => located(each, texts, tree)).filter((each) => each.way === 'dependency' || each.line || !doubtful(each.path) || isData(each));
}

/** What makes of a text what is found in it: the tracer, Node, which takes types out, and what is done with texts here. */
function versions(tools) {
  const { version } = JSON.parse(readFileSync(join(tools, 'node_modules/@vercel/nft/package.json'), 'utf8'));
  return [version, process.version, ...['trace.mjs', 'suspect.mjs'].map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))];
}

/**
 * (a file that is read) -> whether it lies in a folder that code names, and of which nothing starts or was compiled: templates of
 * a generator, migrations, segments of a video. Rules by name know nothing of what is in those.
 */
function dataFolders(texts, { tree, home, entries }) {
  const code = [...texts.keys()].map((file) => relative(tree, file));
  const judged = new Map();
  const judge = (folder) => {
    const inside = (path) => path.startsWith(`${folder}/`);
    const built = code.filter((path) => !inside(path)).map((path) => path.replace(SCRIPT, ''));
    const sources = walk(join(tree, folder), (path) => basename(path) !== 'node_modules').filter((path) => SCRIPT.test(path));
    return !entries.some(inside) && !sources.some((path) => built.some((each) => each.endsWith(`/${path.replace(SCRIPT, '')}`)));
  };
  const quoted = new Map();
  const namesIn = (reader) => {
    const found = (texts.get(join(tree, reader)) ?? '').matchAll(/['"`/]([^'"`/\n]+)\/?(?=['"`])/g);
    return quoted.get(reader) ?? quoted.set(reader, new Set([...found].map(([, name]) => name))).get(reader);
  };
  return ({ path, reader }) => {
    const folder = ancestors(path).find((each) => each !== home && !`${home}/`.startsWith(`${each}/`) && namesIn(reader).has(basename(each)));
    if (folder !== undefined && !judged.has(folder)) judged.set(folder, judge(folder));
    return folder !== undefined && judged.get(folder);
  };
}

/** The text of a file as nft can parse it: without types, where Node can strip them; plain: see plainLoads. */
export async function readSource(path, texts, plain) {
  try {
    const text = await promises.readFile(path, SCRIPT.test(path) || path.endsWith('.json') ? 'utf8' : undefined);
    if (!SCRIPT.test(path)) return text;
    texts.set(path, text);
    return placed(plain(TYPED.test(path) && nodeModule.stripTypeScriptTypes ? nodeModule.stripTypeScriptTypes(text, { mode: 'transform' }) : text));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(error.code)) return null;
    if (texts.has(path)) return texts.get(path); // syntax that cannot be stripped
    throw error;
  }
}

/** nft knows where a module lies by `__dirname` alone. */
function placed(text) {
  if (!text.includes('import.meta.')) return text;
  const undeclared = text.replace(/\b(?:const|let|var)\s+__(dir|file)name\s*=\s*import\.meta\.\1name\b/g, 'void 0');
  return undeclared.replace(/\bimport\.meta\.(dir|file)name\b/g, '__$1name');
}

/**
 * Packages of the workspace and aliases are followed; installed packages come as layers, or are followed too: `installed`.
 * Node knows no tsconfig.json: from compiled code a package's name leads to the package, whatever `paths` made of it.
 */
export function resolver({ tree, home, members = {}, aliases, resolve, installed = false }) {
  const own = ownAliases(tree, home);
  const every = { ...aliases, ...own };
  const hooked = [home, ''].some((folder) => {
    const { dependencies, devDependencies } = manifestOf(tree, folder);
    return 'tsconfig-paths' in { ...dependencies, ...devDependencies };
  });
  const isPackage = async (id, parent, job, cjs) => packageName(id) in members || (installed && resolve(id, parent, job, cjs).then(() => true, () => false));
  return async (id, parent, job, cjs) => {
    if (id.startsWith('.') || isAbsolute(id)) return installed ? resolveFile(id, parent, job, cjs, resolve) : resolve(id, parent, job, cjs);
    if (id.startsWith('#')) return installed ? resolve(id, parent, job, cjs) : resolve(id, parent, job, cjs).catch(() => []);
    const told = parent.includes('/node_modules/') ? [] : aliased(id, every);
    const plain = told.length > 0 && RUNS.test(parent) && !hooked && await isPackage(id, parent, job, cjs);
    for (const path of plain ? aliased(id, own) : told) {
      const file = await resolveFile(`./${path}`, join(tree, 'x.js'), job, cjs, resolve).catch(() => undefined);
      if (file) return file;
    }
    if (installed) return resolve(id, parent, job, cjs);
    const name = packageName(id);
    return name in members ? resolveMember(join(tree, members[name]), id, name, { job, cjs, resolve }) : [];
  };
}

/** TypeScript names the file that it becomes: `./x.js` is x.ts where sources run. */
async function resolveFile(id, parent, job, cjs, resolve) {
  try {
    return await resolve(id, parent, job, cjs);
  } catch (error) {
    const [, stem, kind] = /^(.*)\.([cm]?)js$/.exec(id) ?? [];
    if (stem === undefined) throw error;
    return resolve(`${stem}.${kind}ts`, parent, job, cjs).catch(() => resolve(`${stem}.tsx`, parent, job, cjs));
  }
}

function resolveMember(folder, id, name, { job, cjs, resolve }) {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const inside = id === name ? '.' : `.${id.slice(name.length)}`;
  return resolve(exports === undefined ? inside : id, join(folder, 'x.js'), job, cjs).catch(() => []);
}

/** The paths that tsconfig's `paths` or module-alias give for a name, the longest pattern first. */
function aliased(id, aliases) {
  const fitting = Object.keys(aliases).filter((pattern) => {
    const [head, tail] = pattern.split('*');
    return tail === undefined ? id === head : id.length >= head.length + tail.length && id.startsWith(head) && id.endsWith(tail);
  });
  return fitting.sort((a, b) => b.length - a.length).flatMap((pattern) => {
    const [head, tail] = pattern.split('*');
    const middle = tail === undefined ? '' : id.slice(head.length, id.length - tail.length);
    return aliases[pattern].map((path) => path.replace('*', () => middle));
  });
}

/** package.json of a folder, {} where there is none. */
function manifestOf(tree, folder) {
  const file = join(tree, folder, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

/** module-alias reads them in package.json: a name stands for all below it. */
function ownAliases(tree, home) {
  const { _moduleAliases: table = {} } = manifestOf(tree, home);
  const paths = Object.entries(table).filter(([, path]) => typeof path === 'string').map(([name, path]) => [name, join(home, path)]);
  return Object.fromEntries(paths.flatMap(([name, path]) => [[name, [path]], [`${name}/*`, [`${path}/*`]]]));
}

function note(found, path, { type, parents } = { type: [], parents: new Set() }) {
  const way = type.includes('dependency') || type.includes('resolve') || type.includes('initial') ? 'dependency' : 'asset';
  found.set(path, { path, way, reader: [...parents].sort()[0] ?? '' });
}

/** Code that looks upwards, as bake/texts/names.py knows it. */
const UPWARD = /\bfind-?[uU]p|\bpkg-?[uU]p\b|\blocate-?[pP]ath|\bfind\w*Root\b|\bdirname\(\s*(\w+)\s*\)\s*[!=]==?\s*\1\b|\b(\w+)\s*[!=]==?\s*(?:\w+\.)?dirname\(\s*\2\b/;
const LISTED = /\b(?:readdir|opendir|cp)(?:Sync)?\(\s*(['"`])([\w@-]+)\1/g;

/**
 * Texts in the code that name a file: beside it, in its package, from where processes start, above where code looks upwards;
 * folders where a slash or a call says so.
 */
function* namedIn(texts, { tree, home, starts, away }) {
  for (const [file, text] of texts) {
    const above = UPWARD.test(text) ? [...ancestors(home), ''] : [];
    for (const [, , name] of text.matchAll(/(['"`])((?:\\.|(?!\1)[^\\\n$*?{}()<>|\s:]){3,200})\1/g)) {
      if (!/[./]/.test(name) || isAbsolute(name) || !/\w/.test(name)) continue;
      const sought = !name.includes('/') && (name !== 'package.json' || text.includes('workspaces'));
      const from = [dirname(file), ...[home, ...starts, ...sought ? above : []].map((folder) => join(tree, folder))];
      const places = new Set(from.map((folder) => relative(tree, join(folder, name)).replace(/\/$/, '')));
      for (const place of places) yield* filesAt(tree, place, { home, away, folders: name.includes('/'), reader: relative(tree, file) });
    }
    for (const [, , name] of text.matchAll(LISTED)) {
      for (const start of starts) yield* filesAt(tree, join(start, name), { home, away, folders: true, reader: relative(tree, file) });
    }
  }
}

/** Absolute texts in the code that name a file or folder by a place that is a link in the image, and what is joined to such. */
function* linkedIn(texts, { tree, home, links, away }) {
  for (const [file, text] of texts) {
    for (const [place, target] of Object.entries(links)) {
      if (!text.includes(place)) continue;
      const whole = [...text.matchAll(/['"`](\/[\w@.+-]+(?:\/[\w@.+-]+)*)\/?['"`]/g)].map(([, name]) => name);
      const below = whole.filter((name) => name.startsWith(`${place}/`)).map((name) => name.slice(place.length + 1));
      const parts = [...text.matchAll(/[\w)"'`]\s*,((?:\s*['"`][\w@.+-][\w@./+-]*['"`]\s*,?)+)\)/g)].map(([, names]) => names.match(/[^'"`,\s]+/g).join('/'));
      for (const name of [...below, ...parts]) yield* filesAt(tree, join(target, name), { home, away, folders: true, reader: relative(tree, file) });
    }
  }
}

function filesAt(tree, place, { home, away, folders, reader }) {
  const kind = leaves(place) || away(place) ? undefined : statSync(join(tree, place), { throwIfNoEntry: false });
  if (kind?.isFile()) return [{ path: place, way: 'asset', reader }];
  if (!kind?.isDirectory() || lstatSync(join(tree, place)).isSymbolicLink()) return []; // links bring what they lead to
  if (!folders || !place || place === '.' || `${home}/`.startsWith(`${place}/`)) return [];
  return walk(join(tree, place), (path) => !away(join(place, path))).map((path) => ({ path: join(place, path), way: 'asset', reader }));
}

/** What a .proto file imports: from its folder, or from one above it that its reader names. */
function importedBy(path, tree) {
  const names = [...readFileSync(join(tree, path), 'utf8').matchAll(/^\s*import\s+(?:public\s+|weak\s+)?"([\w./-]+)"\s*;/gm)].map(([, name]) => name);
  const places = names.flatMap((name) => [...ancestors(path), ''].map((folder) => join(folder, name)));
  return places.filter((place) => isFile(join(tree, place))).map((place) => ({ path: place, way: 'dependency', reader: path }));
}

const isFile = (path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false;

/** With the line of the reader that names the file. */
function located(each, texts, tree) {
  const lines = (texts.get(join(tree, each.reader)) ?? '').split('\n');
  const name = basename(each.path);
  const stem = name.replace(/\.\w+$/, '');
  const line = lines.findIndex((text) => text.includes(name)) + 1 || (each.way === 'dependency' ? lines.findIndex((text) => text.includes(stem)) + 1 : 0);
  return { ...each, line };
}

/** What was added, for people: a line per file, or per folder of many. */
export function tellTraced(files) {
  const folders = new Map();
  for (const each of files) folders.set(dirname(each.path), [...(folders.get(dirname(each.path)) ?? []), each]);
  return [...folders].flatMap(([folder, inside]) => {
    const tell = (what, { reader, line }) => `trace: ${what} comes along: ${reader}${line ? `:${line}` : ''} reads it`;
    return inside.length > 3 ? [tell(`${folder}/ (${inside.length} files)`, inside[0])] : inside.map((each) => tell(each.path, each));
  });
}
