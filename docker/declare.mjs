// What a build that only compiles needs of a library: its declarations, as sources and as results.
//
//   node declare.mjs --tree /app --package packages/lib --configs a.json,b.json --outputs '[["dist","src"]]' \
//     --compiler 5.9.2 --out /declared
//
// Every source is replaced by the text of its own declaration file, and what the compiler noted of its build says so:
// `tsc -b` of others finds results that are up to date. An edit inside a function changes nothing of that. Nothing is
// compiled here: others that clean first compile these sources themselves, unchecked, for which there is `noCheck`
// since TypeScript 5.6. Where a source has no declaration of its own, the folder is handed over whole.

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: Object.fromEntries(
    ['tree', 'package', 'configs', 'outputs', 'compiler', 'out'].map((name) => [name, { type: 'string' }]),
  ),
});
const home = path.join(values.tree, values.package);
const target = path.join(values.out, values.package);
const outputs = JSON.parse(values.outputs);
const [major, minor] = values.compiler.split('.').map(Number);
const unchecked = major > 5 || (major === 5 && minor >= 6);
const DECLARATION = /\.d\.([cm]?)ts$/;
const NOTES = /\.tsbuildinfo$/;

function* filesIn(folder, enters, below = '') {
  for (const one of fs.readdirSync(path.join(folder, below), { withFileTypes: true })) {
    const file = path.join(below, one.name);
    if (one.isDirectory() && enters(file)) yield* filesIn(folder, enters, file);
    else if (one.isFile()) yield file;
  }
}

const isResult = (file) => outputs.some(([results]) => file.startsWith(`${results}/`));
const read = (file) => fs.readFileSync(path.join(home, file), 'utf8');
const plain = (text) => text.replace(/\r?\n\/\/# sourceMappingURL=.*\s*$/, '\n').trimEnd();

function write(file, text) {
  fs.mkdirSync(path.dirname(path.join(target, file)), { recursive: true });
  fs.writeFileSync(path.join(target, file), text);
}

/** The source that a declaration file among the results belongs to, relative to the package; undefined for none. */
function sourceOf(file) {
  const [results, sources] = outputs.find(([folder]) => file.startsWith(`${folder}/`));
  const stem = path.join(sources, path.relative(results, file)).replace(DECLARATION, '');
  const kind = DECLARATION.exec(file)[1];
  return [`${stem}.${kind}ts`, `${stem}.tsx`].find((name) => fs.existsSync(path.join(home, name)));
}

/** A configuration that has nothing checked. */
function uncheckedConfig(text) {
  const string = '("(?:\\\\.|[^"\\\\])*")';
  const kept = (pattern, by) => (found) => found.replace(new RegExp(`${string}|${pattern}`, 'gs'), (_, same) => same ?? by);
  const bare = kept(',(?=\\s*[}\\]])', '')(kept('//[^\\n]*|/\\*.*?\\*/', ' ')(text.replace(/^\uFEFF/, '')));
  const config = JSON.parse(bare);
  return `${JSON.stringify({ ...config, compilerOptions: { ...config.compilerOptions, noCheck: true } }, null, 2)}\n`;
}

/** Sources as their declarations, and what of the package is data. source -> its text */
function stub(files) {
  const configs = unchecked ? values.configs.split(',') : [];
  const sources = new Map();
  for (const file of files) {
    const declares = DECLARATION.test(file);
    const source = isResult(file) && declares && sourceOf(file);
    if (source) sources.set(source, `${plain(read(file))}\n`);
    if (configs.includes(file)) write(file, uncheckedConfig(read(file)));
    else if (declares || file.endsWith('.json')) write(file, read(file));
  }
  for (const [source, text] of sources) write(source, text);
  return sources;
}

/** The places in a list of roots, in which a pair may stand for all from its first to its last. */
const numbers = (root) => root.flatMap((one) => (Array.isArray(one) ? Array.from({ length: one[1] - one[0] + 1 }, (_, at) => one[0] + at) : one));

/** What the compiler noted, of sources as they are here and of nothing else. Its notes are no format: null for unknown ones. */
function note(file, sources) {
  const noted = JSON.parse(read(file));
  const inner = noted.program ?? noted;
  if (!Array.isArray(inner.fileNames) || !Array.isArray(inner.fileInfos) || !Array.isArray(inner.root)) return null;
  const here = (name) => path.join(path.dirname(file), name);
  const roots = numbers(inner.root).map((id) => ({ name: inner.fileNames[id - 1], info: inner.fileInfos[id - 1] }));
  const missing = roots.find(({ name }) => !sources.has(here(name)) && !fs.existsSync(path.join(target, here(name))));
  if (missing) throw new Error(`${here(missing.name)} has no declaration`);
  roots.sort((a, b) => (a.name < b.name ? -1 : 1));
  const fileInfos = roots.map(({ name, info }) => {
    const text = sources.get(here(name));
    const version = text && createHash('sha256').update(text).digest('hex');
    const { signature, ...known } = typeof info === 'string' ? { version: info } : info; // none: its text is its declaration
    return version ? { ...known, version } : info;
  });
  const first = [...filesIn(target, () => true)].filter((each) => isResult(each) && DECLARATION.test(each)).sort()[0];
  const program = {
    ...Object.fromEntries(['options', 'affectedFilesPendingEmit'].filter((key) => key in inner).map((key) => [key, inner[key]])),
    fileNames: roots.map(({ name }) => name),
    fileInfos,
    root: roots.map((_, at) => at + 1),
    fileIdsList: [],
    referencedMap: [],
    ...(inner.latestChangedDtsFile ? { latestChangedDtsFile: path.relative(path.dirname(file), first) } : {}),
  };
  return noted.program ? { program, version: noted.version } : { ...program, version: noted.version };
}

/** Returns why the package cannot be declared, or ''. */
function declare() {
  const files = [...filesIn(home, (file) => path.basename(file) !== 'node_modules')];
  // Some have the compiler note in a folder for such things there.
  const modules = path.join(home, 'node_modules');
  const hidden = fs.existsSync(modules) ? [...filesIn(home, (file) => /^node_modules\/\./.test(`${file}/`), 'node_modules')] : [];
  const sources = stub(files);
  if (sources.size === 0) return 'there are none';
  const notes = [...files, ...hidden].filter((file) => NOTES.test(file)).map((file) => [file, note(file, sources)]);
  if (!unchecked && (notes.length === 0 || notes.some(([, text]) => !text))) return 'what the compiler notes is not known';
  for (const [file, text] of notes) if (text) write(file, JSON.stringify(text));
  return '';
}

/** All of the package but its dependencies, whose links lead on from where it is. */
function handOver() {
  fs.rmSync(target, { recursive: true, force: true });
  fs.cpSync(home, target, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
}

function tried() {
  try {
    return declare();
  } catch (error) {
    return error.message;
  }
}

const reason = tried();
if (reason) handOver();
const said = reason ? `all of it: its declarations do not stand alone (${reason})` : 'its declarations';
console.log(`${values.package}: packages that only compile get ${said}`);
