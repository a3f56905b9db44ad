// Serves a single-page application: files as they are, every other path as index.html.
// Usage: [PORT=4173] [HOST=0.0.0.0] node static-server.mjs DIRECTORY
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve } from 'node:path';

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};

const root = resolve(process.argv[2] ?? 'dist');
const port = Number(process.env.PORT ?? 4173);
const host = process.env.HOST ?? '0.0.0.0';

const server = createServer(async (request, response) => {
  const file = await fileFor(request.url ?? '/');
  if (!file) {
    response.writeHead(404).end();
    return;
  }
  response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
  response.setHeader('cache-control', cacheControl(file));
  createReadStream(file).pipe(response);
});

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close());
server.listen({ host, port }, () => console.log(JSON.stringify({ level: 'info', port, msg: 'ready' })));

/** The file of a URL's path, index.html for a route of the application, undefined for a missing asset. */
async function fileFor(url) {
  const path = decodedPath(url);
  // Normalised from `/`, no path climbs above the root.
  const file = path && join(root, normalize(`/${path}`));
  if (file && (await isFile(file))) return file;
  return path && extname(path) === '' ? join(root, 'index.html') : undefined;
}

function decodedPath(url) {
  try {
    return decodeURIComponent(new URL(url, 'http://localhost').pathname);
  } catch {
    return undefined;
  }
}

async function isFile(file) {
  return stat(file).then((found) => found.isFile(), () => false);
}

/** Vite puts a hash into the names under assets/, so those never change. */
function cacheControl(file) {
  return file.startsWith(join(root, 'assets')) ? 'public, max-age=31536000, immutable' : 'no-cache';
}
