// Runs every AppHub process in the one container of the deprecated all-in-one image.
// A process that ends is started again after a pause; SIGTERM ends them all.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const RESTART_PAUSE_MS = 1000;
const KILL_AFTER_MS = 8000;

const programs = [
  { name: 'catalog-api', command: ['node', 'dist/server.js'], cwd: 'services/catalog', port: 4000 },
  { name: 'catalog-worker', command: ['tsx', 'src/worker.ts'], cwd: 'services/catalog' },
  { name: 'catalog-build-worker', command: ['node', 'dist/build-worker.js'], cwd: 'services/catalog' },
  { name: 'catalog-launch-worker', command: ['node', 'dist/launch-worker.js'], cwd: 'services/catalog' },
  { name: 'catalog-scheduler', command: ['node', 'dist/scheduler.js'], cwd: 'services/catalog' },
  { name: 'metastore-api', command: ['node', 'dist/server.js'], cwd: 'services/metastore', port: 4100 },
  { name: 'timestore-api', command: ['node', 'dist/server.js'], cwd: 'services/timestore', port: 4200 },
  { name: 'timestore-ingestion', command: ['node', 'dist/workers/ingestion-worker.js'], cwd: 'services/timestore' },
  { name: 'timestore-lifecycle', command: ['node', 'dist/workers/lifecycle-worker.js'], cwd: 'services/timestore' },
  { name: 'filestore-api', command: ['node', 'dist/server.js'], cwd: 'services/filestore', port: 4300 },
  { name: 'filestore-reconciliation', command: ['node', 'dist/reconciliation/worker.js'], cwd: 'services/filestore' },
  { name: 'frontend', command: ['node', 'docker/static-server.mjs', 'apps/frontend/dist'], cwd: '.', port: 4173 },
];

const running = new Set();
let stopping = false;

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop);
programs.forEach(start);

function start(program) {
  if (stopping) return;
  const [file, ...args] = program.command;
  const env = program.port ? { ...process.env, PORT: String(program.port) } : process.env;
  const child = spawn(file, args, { cwd: program.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  forward(program.name, child.stdout, process.stdout);
  forward(program.name, child.stderr, process.stderr);
  // 'close' follows 'error' too, when the program could not be started at all.
  child.on('error', (error) => say('error', program.name, error.message));
  child.on('close', (code, signal) => {
    running.delete(child);
    if (stopping) return;
    say('error', program.name, `ended with ${signal ?? code}, starting it again`);
    setTimeout(start, RESTART_PAUSE_MS, program);
  });
}

function stop(signal) {
  if (stopping) return;
  stopping = true;
  say('info', 'supervisor', `stopping on ${signal}`);
  for (const child of running) child.kill('SIGTERM');
  // Pauses before a restart may still be pending; unref'd, this timer holds nothing up.
  setTimeout(() => running.forEach((child) => child.kill('SIGKILL')), KILL_AFTER_MS).unref();
}

function forward(name, from, to) {
  createInterface({ input: from }).on('line', (line) => to.write(`[${name}] ${line}\n`));
}

function say(level, program, msg) {
  console.log(JSON.stringify({ level, time: Date.now(), name: 'supervisor', program, msg }));
}
