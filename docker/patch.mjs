// Applies a folder of patch-package's patches to an installed tree. No dependencies, Node 18.3 or newer.
//
//   node patch.mjs --tree /app --home services/api --patches /bake/patches/services-api --tools /bake/installed
//
// A production install lacks patch-package, which is a development dependency as a rule, and the packages that only
// development needs: the tool comes from the tree of the full install, and only patches of packages that are there are
// applied, for patch-package ends with an error at any other. A patch that does not fit ends the build.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';

const names = ['tree', 'home', 'patches', 'tools'];
const { values: { tree, home = '', patches, tools } } = parseArgs({
  options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
});

/** "@x+y++z+1.0.0.patch" -> "node_modules/@x/y/node_modules/z", as patch-package reads names (its PackageDetails.ts). */
function placeOf(file) {
  const packages = file.replace(/(\.dev)?\.patch$/, '').split('++').map((part) => {
    const words = part.split('+').filter(Boolean);
    const version = words.findIndex((word) => /^\d+\.\d+\.\d+/.test(word));
    return words.slice(0, version < 0 ? 2 : version).join('/');
  });
  return packages.map((name) => `node_modules/${name}`).join('/');
}

/** The files of a folder and the folders in it, as paths relative to it, sorted. */
function* files(folder, below = '') {
  for (const each of readdirSync(join(folder, below), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (each.isDirectory()) yield* files(folder, join(below, each.name));
    else yield join(below, each.name);
  }
}

/** Where a package of the full install finds patch-package. */
function toolOf(from) {
  const place = join(tools, from, 'node_modules/patch-package');
  if (existsSync(place)) return place;
  if (from && from !== '.') return toolOf(dirname(from));
  console.error('patch: patch-package is not installed; add it to the devDependencies and install again');
  return process.exit(1);
}

const directory = join(tree, home);
const wanted = [...files(patches)].filter((name) => name.endsWith('.patch'));
const there = wanted.filter((name) => existsSync(join(directory, placeOf(name))));
for (const name of wanted.filter((each) => !there.includes(each))) console.log(`${name}: ${placeOf(name)} is not installed, left out`);
if (there.length) {
  const chosen = mkdtempSync(join(tmpdir(), 'patches-'));
  for (const name of there) {
    mkdirSync(dirname(join(chosen, name)), { recursive: true });
    cpSync(join(patches, name), join(chosen, name));
  }
  const tool = toolOf(home);
  const { bin } = JSON.parse(readFileSync(join(tool, 'package.json'), 'utf8'));
  const script = join(tool, typeof bin === 'string' ? bin : bin['patch-package']);
  const words = [script, '--error-on-fail', '--patch-dir', relative(directory, chosen)];
  const { status } = spawnSync(process.execPath, words, { cwd: directory, stdio: 'inherit' });
  rmSync(chosen, { recursive: true });
  process.exit(status ?? 1);
}
