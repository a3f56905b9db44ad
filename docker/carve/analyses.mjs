// What the tracer found in files, kept for the next trace: most of its time goes into parsing, and most files stay the same.
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { list } from './files.mjs';
import { join } from './paths.mjs';

const SETS = ['assets', 'deps', 'imports'];

/** What @vercel/nft found, by file, as it caches that itself. known: path -> the same as it was kept; meets: sees texts of known files. */
class Analyses extends Map {
  constructor(known, meets) {
    super();
    Object.assign(this, { known, meets });
  }

  get(path) {
    const kept = super.has(path) ? undefined : this.known[path];
    const text = kept && readText(path);
    if (kept && digestOf(text) === kept.digest) {
      this.meets(path, text);
      super.set(path, { isESM: kept.isESM, ...Object.fromEntries(SETS.map((name) => [name, new Set(kept[name])])) });
    }
    return super.get(path);
  }
}

/**
 * A store of analyses in a file, '' for none. What nft finds in a file depends on its text and place, on where the process
 * starts, and on which files there are, as it looks for those that code names; not on what is in those. Source: its
 * out/analyze.js. all: what else they depend on; where that is another one, nothing is known.
 */
export function keptAnalyses(file, all) {
  const key = digestOf(JSON.stringify(all));
  const { starts = {} } = file ? readKept(file, key) : {};
  const begun = new Map();
  return {
    /** The analyses of processes that start in one folder. */
    begin(start, meets) {
      const analyses = new Analyses(starts[start] ?? {}, meets);
      begun.set(start, analyses);
      return analyses;
    },
    /** Keep those of files whose texts are given, by path. A store that cannot be written is none. */
    save(texts) {
      if (!file) return;
      const told = [...begun].map(([start, analyses]) => [start, toldOf(analyses, texts)]);
      const fresh = `${file}.${randomUUID()}`;
      try {
        writeFileSync(fresh, JSON.stringify({ key, starts: Object.fromEntries(told) }));
        renameSync(fresh, file);
      } catch {}
    },
  };
}

function toldOf(analyses, texts) {
  const read = [...analyses].filter(([path]) => texts.has(path));
  return Object.fromEntries(read.map(([path, { isESM, ...found }]) => {
    const sets = SETS.map((name) => [name, [...found[name]]]);
    return [path, { digest: digestOf(texts.get(path)), isESM, ...Object.fromEntries(sets) }];
  }));
}

function readKept(file, key) {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8'));
    return kept.key === key ? kept : {};
  } catch {
    return {};
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Which files and folders there are below a directory, and what links lead to; node_modules apart. */
export function namesBelow(directory, below = '') {
  return list(join(directory, below)).flatMap((each) => {
    const path = join(below, each.name);
    if (each.isSymbolicLink()) return [`${path}>${readlinkSync(join(directory, path))}`];
    if (!each.isDirectory()) return [path];
    return [`${path}/`, ...each.name === 'node_modules' ? [] : namesBelow(directory, path)];
  });
}

const digestOf = (text) => createHash('sha256').update(text ?? '').digest('hex');
