// Builds of packages take turns: as many at once as the builder has cores, first those that most of the rest waits for.
// No dependencies, Node 18.3 or newer.
//
//   node turns.mjs build-services-catalog 'npm run build' ['another command' …]
//
// After a colon stands what else is done for a build before it.
//
// BuildKit starts every step whose inputs are there. Ten compilers on two cores take as long as one after the other,
// need the memory of ten, and the one that others wait for ends last. The folder /bake/turns is one for all builds of
// an engine: a file in it is a build that runs or waits, kept fresh while its process lives. The order stands in
// /bake/turns.json, a secret, because what is in a secret changes no step's cache key. Two builds may see the same free
// place at once; one too many costs a little time, and nothing else. A compiler is held while others run that more waits for:
// it looks at no clock, as servers and browsers that other builds may start do.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const [name, ...commands] = process.argv.slice(2);
const { TURNS_FOLDER: FOLDER = '/bake/turns', TURNS_PLAN: PLAN = '/bake/turns.json' } = process.env;
const LOOK = 200; // milliseconds between two looks
const FRESH = 1000; // between two signs of life
const DEAD = 5000; // without one

function planned() {
  try {
    return JSON.parse(fs.readFileSync(PLAN, 'utf8'));
  } catch {
    return {}; // built without bake: in the order in which they come
  }
}

const plan = planned();
const places = plan.concurrency || (os.availableParallelism?.() ?? os.cpus().length);
const padded = (number) => String(number).padStart(15, '0');
/** By weight, then by when they came. */
const order = [padded(1e12 - (plan.weights?.[name.split(':')[0]] ?? 0)), padded(Date.now()), randomUUID()].join('-');
const [runs, waits] = ['runs', 'waits'].map((state) => path.join(FOLDER, `${order}.${state}`));

/** The builds that live, in order; what is left of others is removed. */
function builds() {
  const oldest = Date.now() - DEAD;
  return fs.readdirSync(FOLDER).sort().filter((each) => {
    const file = path.join(FOLDER, each);
    const lives = (fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > oldest;
    if (!lives) fs.rmSync(file, { force: true });
    return lives;
  });
}

/** One that more depends on than on those that run begins beside them, up to twice as many. */
function waiting() {
  const all = builds();
  return all.indexOf(path.basename(waits)) >= places || all.filter((each) => each.endsWith('.runs')).length >= 2 * places;
}

const pause = () => new Promise((go) => setTimeout(go, LOOK));

/** Keep a file fresh from now on; gives what ends that. */
function live(file) {
  const sign = () => {
    try {
      fs.writeFileSync(file, '');
    } catch {} // a folder that is gone or closed has nobody else in it
  };
  sign();
  const signs = setInterval(sign, FRESH).unref();
  return () => {
    clearInterval(signs);
    fs.rmSync(file, { force: true });
  };
}

/** Wait for a place; gives what leaves it. */
async function turn() {
  const stopWaiting = live(waits);
  if (waiting()) {
    console.error('bake: waits for its turn');
    while (waiting()) await pause();
    console.error('bake: its turn');
  }
  const leave = live(runs);
  stopWaiting();
  return leave;
}

/** Whether as many run as there are places that more depends on than on this one. */
function isLate() {
  try {
    return builds().filter((each) => each.endsWith('.runs')).indexOf(path.basename(runs)) >= places;
  } catch {
    return false; // without the folder nobody can say
  }
}

/** Hold a process and its children while it is late. */
function makeWay(child) {
  let held = false;
  return () => {
    if (isLate() === held) return;
    held = !held;
    if (held) process.kill(-child.pid, 'SIGSTOP');
    console.error(held ? 'bake: makes way' : 'bake: goes on');
    if (!held) process.kill(-child.pid, 'SIGCONT');
  };
}

/** The status of the commands, each of which begins when the one before it went well. */
function run() {
  const holdable = plan.holdable?.includes(name) ?? false;
  const child = spawn('/bin/sh', ['-c', commands.join(' && ')], { stdio: 'inherit', detached: holdable });
  const looks = holdable && setInterval(makeWay(child), LOOK);
  return new Promise((end) => child.on('exit', (code, signal) => {
    clearInterval(looks);
    end(code ?? 128 + os.constants.signals[signal]);
  }));
}

// Where the folder cannot be used, a build runs at once.
const leave = await turn().catch(() => () => {});
process.exitCode = await run();
leave();
