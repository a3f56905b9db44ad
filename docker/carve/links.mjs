// Links in node_modules that belong to no entry: commands in .bin, and what the package manager hoists.
import { readlinkSync } from 'node:fs';
import { list } from './files.mjs';
import { join, packageName, relative } from './paths.mjs';

/** entry -> the node_modules/.bin links that the package manager made for it, and those its `bins` asks for. */
export function binLinks(tree, entries) {
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
export function hoistedLinks(tree, folders, entries) {
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

export const merged = (...tables) => (entry) => tables.flatMap((table) => table(entry));

const levelOf = (path) => path.slice(0, path.lastIndexOf('node_modules') + 'node_modules'.length);

function readLinks(tree, directory) {
  const links = list(join(tree, directory)).filter((each) => each.isSymbolicLink());
  return links.map(({ name }) => {
    const target = readlinkSync(join(tree, directory, name));
    return { path: join(directory, name), target, resolved: join(directory, target) };
  });
}

/** "node_modules", "node_modules/@x/y/cli.js" -> "node_modules/@x/y" */
const ownerOf = (level, file) => join(level, packageName(relative(level, file)));
