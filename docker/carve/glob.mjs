// Patterns of paths.
import { fail } from './errors.mjs';

const SLASH = '/'.charCodeAt();
const [ANY, WITHIN, OTHER] = [-1, -2, -3]; // any character, any but a slash, one that no pattern names
const MOST_PLACES = 2000; // remembered at once: what they are for is speed

/**
 * A test for paths: `*` and `?` within a name, `**` across names, `{a,b}` either; a pattern that names a directory means
 * all below it. Brackets are ordinary, because Next.js has files named [id].js. However many stars a pattern has, a path is read
 * once: all places in all patterns are followed together, and which places a character leads to is remembered.
 */
export function glob(patterns) {
  if (!patterns.length) return () => false;
  const machine = new Machine();
  for (const pattern of patterns) layPattern(machine, pattern.replace(/^\.\//, '').replace(/\/+$/, ''));
  return (path) => machine.accepts(path);
}

class Machine {
  #steps = []; // place -> [[character, place]]
  #free = []; // place -> places that are reached without a character
  #letters = new Set([SLASH]);
  #known = new Map();

  constructor() {
    [this.start, this.end, this.below] = [this.add(), this.add(), this.add()];
    this.step(this.end, SLASH, this.below);
    this.step(this.below, ANY, this.below);
  }

  add() {
    this.#free.push([]);
    return this.#steps.push([]) - 1;
  }

  step(from, character, to) {
    this.#steps[from].push([character, to]);
    if (character >= 0) this.#letters.add(character);
  }

  skip(from, to) { this.#free[from].push(to); }

  accepts(path) {
    this.first ??= this.#together([this.start]);
    let here = this.first;
    for (let i = 0; i < path.length && here.places.length; i += 1) {
      const code = path.charCodeAt(i);
      const letter = this.#letters.has(code) ? code : OTHER;
      here = here.next.get(letter) ?? this.#follow(here, letter);
    }
    return here.accepts;
  }

  #follow(here, letter) {
    const takes = (wanted) => wanted === letter || wanted === ANY || (wanted === WITHIN && letter !== SLASH);
    const led = here.places.flatMap((place) => this.#steps[place]).filter(([wanted]) => takes(wanted));
    const there = this.#together(led.map(([, place]) => place));
    here.next.set(letter, there);
    return there;
  }

  #together(starts) {
    const places = new Set(starts);
    for (const place of places) for (const next of this.#free[place]) places.add(next); // a Set tells of what is added meanwhile
    const sorted = [...places].sort((a, b) => a - b);
    const key = sorted.join();
    if (this.#known.size > MOST_PLACES) this.#forget();
    if (!this.#known.has(key)) this.#known.set(key, { places: sorted, next: new Map(), accepts: places.has(this.end) || places.has(this.below) });
    return this.#known.get(key);
  }

  #forget() {
    for (const { next } of this.#known.values()) next.clear();
    this.#known.clear();
    this.first = undefined;
  }
}

function layPattern(machine, pattern) {
  const open = [];
  let at = machine.add();
  machine.skip(machine.start, at);
  for (const token of pattern.match(/\*\*\/|\*\*|[^]/g) ?? []) at = layToken(machine, { token, at, open, pattern });
  if (open.length) fail(`${JSON.stringify(pattern)}: braces must come in pairs`);
  machine.skip(at, machine.end);
}

/** Adds what a token takes behind a place; where that ends. open: the braces around it. */
function layToken(machine, { token, at, open, pattern }) {
  if (token === '{') open.push({ start: at, end: machine.add() });
  else if (token === ',' && open.length) return layEither(machine, at, open.at(-1)).start;
  else if (token === '}' && open.length) return layEither(machine, at, open.pop()).end;
  else if (token === '}') fail(`${JSON.stringify(pattern)}: braces must come in pairs`);
  else return layCharacters(machine, token, at);
  return at;
}

function layEither(machine, at, brace) {
  machine.skip(at, brace.end);
  return brace;
}

function layCharacters(machine, token, at) {
  const next = machine.add();
  if (token === '**/') {
    const folders = layLoop(machine, at, ANY);
    machine.step(folders, SLASH, next);
    machine.skip(at, next);
  } else if (token.startsWith('*')) machine.skip(layLoop(machine, at, token === '*' ? WITHIN : ANY), next);
  else machine.step(at, token === '?' ? WITHIN : token.charCodeAt(), next);
  return next;
}

function layLoop(machine, at, character) {
  const loop = machine.add();
  machine.skip(at, loop);
  machine.step(loop, character, loop);
  return loop;
}
