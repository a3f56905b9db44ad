// Loaded before a process that `bake smoke` tries: tells of modules and files below /app that are not there.
import fs from 'node:fs';
import Module, * as modules from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const write = fs.writeSync;
const told = new Set();

function tell(miss) {
  const line = `bake-miss ${JSON.stringify(miss)}\n`;
  if (told.has(line) || told.size > 500) return;
  told.add(line);
  try { write(2, line); } catch { /* nobody listens */ }
}

function tellFile(place) {
  try {
    const path = resolve(String(place instanceof URL ? fileURLToPath(place) : place));
    if (path.startsWith('/app/')) tell({ path });
  } catch { /* no path */ }
}

function tellError(error, place) {
  if (error?.code === 'ENOENT') tellFile(place);
}

function tellModule(error, name, from) {
  const absent = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes(error?.code);
  if (absent && typeof name === 'string') tell({ name, from: from?.startsWith('file:') ? fileURLToPath(from) : from ?? '' });
}

for (const name of ['readFile', 'open', 'readdir', 'stat', 'lstat', 'access', 'opendir', 'realpath']) {
  const [later, now, promised] = [fs[name], fs[`${name}Sync`], fs.promises[name]];
  const copied = (made, from) => Object.assign(made, from);
  fs[name] = copied(function (place, ...more) {
    const done = more.at(-1);
    if (typeof done === 'function') more[more.length - 1] = function (error, ...given) { tellError(error, place); return done.call(this, error, ...given); };
    return later.call(this, place, ...more);
  }, later);
  fs[`${name}Sync`] = copied(function (place, ...more) {
    try {
      const found = now.call(this, place, ...more);
      if (found === undefined && name.endsWith('stat')) tellFile(place);
      return found;
    } catch (error) {
      tellError(error, place);
      throw error;
    }
  }, now);
  if (promised) fs.promises[name] = (place, ...more) => promised(place, ...more).catch((error) => { tellError(error, place); throw error; });
}
const exists = fs.existsSync;
fs.existsSync = (place) => {
  const found = exists(place);
  if (!found) tellFile(place);
  return found;
};
modules.syncBuiltinESMExports();

const find = Module._resolveFilename;
Module._resolveFilename = function (name, parent, ...more) {
  try {
    return find.call(this, name, parent, ...more);
  } catch (error) {
    tellModule(error, name, parent?.filename);
    throw error;
  }
};
modules.registerHooks?.({
  resolve(name, context, next) {
    try {
      return next(name, context);
    } catch (error) {
      tellModule(error, name, context.parentURL);
      throw error;
    }
  },
});
