// What a build that only compiles needs of a library: its declarations, as sources and as results.
//
//   node declare.mjs --tree /app --package packages/lib --configs a.json,b.json --outputs '[["dist","src"]]' --out /types
//
// Every source is replaced by the text of its own declaration file, and that is compiled, so that `tsc -b` finds
// results that are up to date; then they get the library's own declarations. An edit inside a function changes nothing
// of that. Where the compiler complains, or makes other files, the folder is handed over whole.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: Object.fromEntries(
    ['tree', 'package', 'configs', 'outputs', 'out'].map((name) => [name, { type: 'string' }]),
  ),
});
const home = path.join(values.tree, values.package);
const whole = path.join(values.out, '.whole', values.package);
const target = path.join(values.out, values.package);
const outputs = JSON.parse(values.outputs);
const DECLARATION = /\.d\.([cm]?)ts$/;

function* filesIn(folder, below = '') {
  for (const one of fs.readdirSync(path.join(folder, below), { withFileTypes: true })) {
    const file = path.join(below, one.name);
    if (one.isDirectory() && one.name !== 'node_modules') yield* filesIn(folder, file);
    else if (one.isFile()) yield file;
  }
}

const isResult = (file) => outputs.some(([results]) => file.startsWith(`${results}/`));
const plain = (file) => fs.readFileSync(file, 'utf8').replace(/\r?\n\/\/# sourceMappingURL=.*\s*$/, '\n').trimEnd();

function write(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

const copy = (file) => write(path.join(home, file), fs.readFileSync(path.join(whole, file)));

/** The source that a declaration file among the results belongs to, relative to the package. */
function sourceOf(file) {
  const [results, sources] = outputs.find(([folder]) => file.startsWith(`${folder}/`));
  const stem = path.join(sources, path.relative(results, file)).replace(DECLARATION, '');
  const kind = DECLARATION.exec(file)[1];
  return [`${stem}.${kind}ts`, `${stem}.tsx`].find((name) => fs.existsSync(path.join(whole, name)));
}

function stub() {
  for (const file of filesIn(whole)) {
    if (isResult(file)) {
      const source = DECLARATION.test(file) && sourceOf(file);
      if (source) write(path.join(home, source), `${plain(path.join(whole, file))}\n`);
      else if (DECLARATION.test(file) || file.endsWith('.json')) copy(file);
    } else if (DECLARATION.test(file) || file.endsWith('.json')) {
      copy(file);
    }
  }
}

const declarations = (folder) => [...filesIn(folder)].filter((file) => isResult(file) && DECLARATION.test(file)).sort();

/** Give the results of the stub the library's own declarations; returns a file that only one of them has, or ''. */
function adopt() {
  const [own, made] = [whole, home].map(declarations);
  const other = own.find((file) => !made.includes(file)) ?? made.find((file) => !own.includes(file));
  if (other || own.length === 0) return other ?? 'there are none';
  for (const file of own) fs.copyFileSync(path.join(whole, file), path.join(home, file));
  return '';
}

function compile() {
  const compiler = ['tsc', '-b', ...values.configs.split(',')];
  const bins = [path.join(home, 'node_modules/.bin'), path.join(values.tree, 'node_modules/.bin'), process.env.PATH];
  const env = { ...process.env, PATH: bins.join(':') };
  const done = spawnSync(compiler[0], compiler.slice(1), { cwd: home, env, encoding: 'utf8' });
  return done.status === 0 ? '' : `${done.error ?? done.stdout}`.trim().split('\n')[0];
}

/** Put something in place of all that the package has but its dependencies, whose links lead on from there. */
function replace(fill) {
  for (const name of fs.readdirSync(home)) {
    if (name !== 'node_modules') fs.rmSync(path.join(home, name), { recursive: true });
  }
  fill();
}

const kept = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true };
process.chdir('/');
fs.cpSync(home, whole, { ...kept, filter: (file) => file !== path.join(home, 'node_modules') });
replace(stub);
const reason = compile() || adopt();
if (reason) replace(() => fs.cpSync(whole, home, kept));
fs.cpSync(home, target, kept);
fs.rmSync(path.join(values.out, '.whole'), { recursive: true });
const said = reason ? `all of it: its declarations do not stand alone (${reason})` : 'its declarations';
console.log(`${values.package}: packages that only compile get ${said}`);
