// Runs the install scripts of named packages wherever they lie in an installed tree. No dependencies, Node 18.3 or newer.
//
//   node rebuild.mjs --tree /app better-sqlite3 esbuild
//
// For package managers whose own `rebuild` is bound to settings of the workspace, or that have none. npm runs the scripts:
// it is in every Node image and brings node-gyp. A package that is not installed (another platform's) is passed over.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: { tree }, positionals: names } = parseArgs({ options: { tree: { type: 'string' } }, allowPositionals: true });

/** Every directory of an installed package below node_modules folders, links not followed. */
function* installed(folder) {
  for (const each of readdirSync(folder, { withFileTypes: true })) {
    if (!each.isDirectory()) continue;
    const path = join(folder, each.name);
    const inModules = folder.endsWith('node_modules') || /node_modules\/@[^/]+$/.test(folder);
    if (inModules && existsSync(join(path, 'package.json'))) yield path;
    yield* installed(path);
  }
}

/** Whether each package that names it does so under optionalDependencies, as those of the workspace may too. */
function isOptional(name) {
  const naming = manifests().filter((each) => each.optionalDependencies?.[name] ?? each.dependencies?.[name] ?? each.devDependencies?.[name]);
  return naming.length > 0 && naming.every((each) => each.optionalDependencies?.[name]);
}

let known;

function manifests() {
  known ??= [...installed(tree), ...members(tree)].map((folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  return known;
}

/** Folders outside node_modules with a package.json. */
function* members(folder) {
  if (existsSync(join(folder, 'package.json'))) yield folder;
  for (const each of readdirSync(folder, { withFileTypes: true })) {
    if (each.isDirectory() && each.name !== 'node_modules' && !each.name.startsWith('.')) yield* members(join(folder, each.name));
  }
}

function scriptsOf(directory, { scripts = {}, gypfile }) {
  const native = gypfile !== false && !scripts.preinstall && !scripts.install && existsSync(join(directory, 'binding.gyp'));
  const given = ['preinstall', 'install', 'postinstall'].filter((name) => scripts[name]).map((name) => ['run', name]);
  return native ? [['exec', '--no', 'node-gyp', 'rebuild'], ...given] : given;
}

for (const directory of installed(tree)) {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  if (!names.includes(manifest.name)) continue;
  for (const words of scriptsOf(directory, manifest)) {
    console.log(`${manifest.name}@${manifest.version}: npm ${words.join(' ')}`);
    const { status } = spawnSync('npm', ['--ignore-scripts=false', ...words], { cwd: directory, stdio: 'inherit' });
    if (status === 0) continue;
    if (!isOptional(manifest.name)) process.exit(status ?? 1);
    console.log(`warning: ${manifest.name}: its install script failed; it is optional, so images go without what the script makes`);
    break;
  }
}
