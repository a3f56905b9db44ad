// The static file server in bake's images of static services (SPA frontends). No dependencies, Node 18 or newer.
//
//   node serve.mjs ROOT
//
// PORT=8080 (0: any free one)   HOST=0.0.0.0   HEALTH_PATH=/healthz
// SPA=0 switches the history fallback to index.html off; ACCESS_LOG=1 writes one JSON line per request.
// HEADERS={"X-Frame-Options":"DENY"}: headers of every answer, as JSON; "" takes a default away. STALL_SECONDS=60: how long a
// client may neither read nor write.
// PREFIX=/app/: the path that the files were built for; they answer at / too, for what strips it on the way.
// PROXY={"/api/":"http://api:4000/"}: paths that another server answers, as JSON; a path in the URL stands for the prefix, as
// with nginx's proxy_pass.
import { createHash } from 'node:crypto';
import { createReadStream, realpathSync, statSync } from 'node:fs';
import { realpath, stat, readFile } from 'node:fs/promises';
import { createServer, request as httpRequest, validateHeaderName, validateHeaderValue } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { basename, extname, join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';

const gzip = promisify(gzipCallback);
const { PORT = '8080', HOST = '0.0.0.0', HEALTH_PATH = '/healthz', SPA = '1', ACCESS_LOG = '0', HEADERS = '{}', PREFIX = '/', PROXY = '{}', STALL_SECONDS = '60' } = process.env;
const MIB = 1024 * 1024;
const GRACE_MS = 2000; // after SIGTERM, for responses under way; Kubernetes kills after 30 s
const DEFAULT_HEADERS = { 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'strict-origin-when-cross-origin' };
const TEXT = {
  html: 'text/html', htm: 'text/html', css: 'text/css', js: 'text/javascript', mjs: 'text/javascript', cjs: 'text/javascript',
  txt: 'text/plain', md: 'text/markdown', csv: 'text/csv', vtt: 'text/vtt', xml: 'application/xml', svg: 'image/svg+xml',
  json: 'application/json', map: 'application/json', webmanifest: 'application/manifest+json',
};
const BINARY = {
  wasm: 'application/wasm', pdf: 'application/pdf', zip: 'application/zip', gz: 'application/gzip', ico: 'image/x-icon',
  png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp', avif: 'image/avif',
  woff: 'font/woff', woff2: 'font/woff2', ttf: 'font/ttf', otf: 'font/otf', eot: 'application/vnd.ms-fontobject',
  mp3: 'audio/mpeg', ogg: 'audio/ogg', wav: 'audio/wav', mp4: 'video/mp4', webm: 'video/webm',
};
const COMPRESSIBLE = new Set([...Object.keys(TEXT), 'wasm', 'ttf', 'otf', 'eot', 'ico']);
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

// Keeps what `make` promised for a key and forgets the oldest keys when the weights pass the limit.
class Memory {
  #entries = new Map();
  #weight = 0;
  constructor(limit) { this.limit = limit; }
  get(key, weight, make) {
    if (this.#entries.has(key)) return this.#entries.get(key).value;
    const value = make();
    this.#entries.set(key, { weight, value });
    this.#weight += weight;
    for (const oldest of this.#entries.keys()) if (this.#weight > this.limit) this.#forget(oldest);
    value.catch(() => this.#forget(key));
    return value;
  }
  #forget(key) {
    this.#weight -= this.#entries.get(key)?.weight ?? 0;
    this.#entries.delete(key);
  }
}
const digests = new Memory(4096); // files
const gzipped = new Memory(32 * MIB); // bytes before compression

const extension = (path) => extname(path).slice(1).toLowerCase();
const versionOf = ({ file, stats }) => [file, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join('\0');

function contentType(file) {
  const ext = extension(file);
  return TEXT[ext] ? `${TEXT[ext]}; charset=utf-8` : BINARY[ext] ?? 'application/octet-stream';
}

// True for index-B1a2c3D4.js, main.3f2a1b9c.chunk.js, main-5FSGOR7Y.js; false for date-picker.js, app-MyWidget.js and
// report-20240101.pdf: a year of caching must not hit a plain word or a number, a hash that looks like one only costs a 304.
function isHashed(name) {
  const words = /^[A-Z]*[a-z]*([A-Z][a-z]+)*\d*([-_][A-Z]*[a-z]*([A-Z][a-z]+)*\d*)*$/;
  const isHash = (s) => /^(?=.*\d)(?=.*[a-f])[0-9a-f]+$/.test(s) || (/[A-Z]/.test(s) && !words.test(s));
  const tails = (part) => [/(?:^|-)([\w-]{8})$/, /(?:^|-)([A-Za-z0-9]{8,})$/].map((tail) => tail.exec(part)?.[1]);
  return name.split('.').slice(0, -1).flatMap(tails).some((tail) => tail !== undefined && isHash(tail));
}

// The regular file behind a path, with symlinks followed, or null when there is none inside the root.
async function regular(path) {
  try {
    const file = await realpath(path);
    const stats = await stat(file);
    return file.startsWith(root) && stats.isFile() ? { file, stats } : null;
  } catch (error) {
    if (ABSENT.has(error.code)) return null;
    throw error;
  }
}

async function locate(path, accept) {
  const wanted = join(root, path);
  for (const file of path.endsWith('/') ? [`${wanted}index.html`] : [wanted, `${wanted}.html`, `${wanted}/index.html`]) {
    const found = await regular(file);
    if (found) return found;
  }
  const navigation = !extname(wanted) && /\btext\/html\b/i.test(accept);
  return navigation && SPA !== '0' ? regular(join(root, 'index.html')) : null;
}

function accepts(header, coding) {
  const offers = header.toLowerCase().split(',').map((offer) => offer.split(';').map((part) => part.trim()));
  const [, ...parameters] = offers.find(([name]) => name === coding) ?? offers.find(([name]) => name === '*') ?? ['', 'q=0'];
  return !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
}

// The bytes that a Range header asks for: {start, end}, end included; null for all of them: without one, with several ranges or
// one of another unit, or when If-Range tells of another content; false when there are none such (RFC 9110, 14).
function rangeOf({ range = '', 'if-range': known }, size, etag) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(range.trim()) ?? [];
  if ((!first && !last) || (known !== undefined && known !== etag)) return null;
  if (!first) return size && Number(last) ? { start: Math.max(0, size - Number(last)), end: size - 1 } : false;
  const [start, end] = [Number(first), last ? Math.min(Number(last), size - 1) : size - 1];
  if (last && Number(last) < start) return null; // not a range
  return start < size && { start, end };
}

// What goes over the wire for a file: { file, size } to stream or { body, size } from memory, and its content coding.
async function represent(found, acceptEncoding) {
  const { file, stats } = found;
  for (const [coding, suffix] of [['br', '.br'], ['gzip', '.gz']]) {
    const neighbour = accepts(acceptEncoding, coding) && (await regular(file + suffix));
    if (neighbour) return { file: neighbour.file, size: neighbour.stats.size, coding };
  }
  const worthwhile = COMPRESSIBLE.has(extension(file)) && stats.size >= 1024 && stats.size <= 8 * MIB;
  if (!worthwhile || !accepts(acceptEncoding, 'gzip')) return { file, size: stats.size, coding: '' };
  const body = await gzipped.get(versionOf(found), stats.size, async () => gzip(await readFile(file)));
  return { body, size: body.length, coding: 'gzip' };
}

// Of the content, not of size and time: in an image every mtime is the same, and two index.html often have one length.
function digestOf(found) {
  return digests.get(versionOf(found), 1, async () => {
    const hash = createHash('sha256');
    await pipeline(createReadStream(found.file), hash);
    return hash.digest('base64url').slice(0, 22);
  });
}

function plain(response, status, text, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': text.length, 'Cache-Control': 'no-store', ...headers });
  response.end(text);
}

async function sendFile(request, response, found) {
  const { headers } = request;
  const { file, body, size, coding } = await represent(found, headers['accept-encoding'] ?? '');
  const etag = `"${await digestOf(found)}${coding && `-${coding}`}"`;
  const immutable = !contentType(found.file).startsWith('text/html') && isHashed(basename(found.file));
  response.setHeader('ETag', etag);
  response.setHeader('Vary', 'Accept-Encoding');
  response.setHeader('Cache-Control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
  const known = (headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*')) return response.writeHead(304).end();
  response.setHeader('Accept-Ranges', 'bytes');
  const range = request.method === 'GET' ? rangeOf(headers, size, etag) : null;
  if (range === false) return plain(response, 416, 'no such range\n', { 'Content-Range': `bytes */${size}` });
  response.setHeader('Content-Type', contentType(found.file));
  if (coding) response.setHeader('Content-Encoding', coding);
  if (range) response.setHeader('Content-Range', `bytes ${range.start}-${range.end}/${size}`);
  const { start, end } = range ?? { start: 0, end: size - 1 };
  response.writeHead(range ? 206 : 200, { 'Content-Length': end - start + 1 });
  if (body || request.method === 'HEAD') return response.end(body?.subarray(start, end + 1));
  return pipeline(createReadStream(file, range ?? {}), response);
}

function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return ''; // a stray % sign
  }
}

// Of the connection to us, not of what is asked for (RFC 9110, 7.6.1).
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']);
const passedOn = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));

// A path with its query, without `.` and `..`: with them it could leave the part of the other server that a prefix stands for.
function plainPath(path) {
  if (!path.startsWith('/')) return path;
  const { pathname, search } = new URL(`http://x${path}`);
  return pathname + search;
}

// The request to the server that answers a path, or null when this one does.
function upstreamOf(request) {
  const path = plainPath(request.url);
  const [prefix, target] = proxies.find(([start]) => path.startsWith(start)) ?? [];
  if (target === undefined) return null;
  const bare = /^https?:\/\/[^/]+$/.test(target);
  const url = new URL(bare ? target + path : target + path.slice(prefix.length));
  const { headers, socket, method } = request;
  const forwarded = {
    host: url.host,
    'x-forwarded-host': headers['x-forwarded-host'] ?? headers.host ?? '',
    'x-forwarded-proto': headers['x-forwarded-proto'] ?? 'http',
    'x-forwarded-for': [headers['x-forwarded-for'], socket.remoteAddress].filter(Boolean).join(', '),
  };
  return (extra) => (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, { method, headers: { ...passedOn(headers), ...forwarded, ...extra } });
}

async function proxy(request, response, open) {
  const asked = open({});
  const answered = new Promise((resolve, reject) => asked.once('response', resolve).once('error', reject));
  response.once('close', () => asked.destroy());
  try {
    request.pipe(asked);
    const answer = await answered;
    response.writeHead(answer.statusCode, passedOn(answer.headers));
    await pipeline(answer, response);
  } catch (error) {
    if (response.headersSent || response.destroyed) throw error;
    console.error(JSON.stringify({ msg: 'no answer', url: request.url, error: error.message || error.code }));
    plain(response, 502, 'bad gateway\n');
  }
}

// WebSockets: both sides are joined once the other server agrees.
function upgrade(request, socket, head) {
  const open = upstreamOf(request);
  const asked = open?.({ connection: 'Upgrade', upgrade: request.headers.upgrade });
  if (!asked) return socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
  const close = () => { socket.destroy(); asked.destroy(); };
  asked.once('upgrade', (answer, other, rest) => {
    const lines = answer.rawHeaders.map((text, at) => (at % 2 ? `: ${text}\r\n` : text)).join('');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines}\r\n`);
    socket.write(rest);
    other.write(head);
    pipeline(other, socket, other).catch(close);
  });
  asked.once('response', close).once('error', close);
  socket.once('error', close);
  return asked.end();
}

async function handle(request, response) {
  const open = upstreamOf(request);
  if (open) return proxy(request, response, open);
  for (const [name, value] of fixedHeaders) response.setHeader(name, value);
  if (!['GET', 'HEAD'].includes(request.method)) return plain(response, 405, 'method not allowed\n', { Allow: 'GET, HEAD' });
  const [rawPath] = request.url.split(/[?#]/);
  if (rawPath === HEALTH_PATH) return plain(response, 200, 'ok');
  const asked = decoded(rawPath);
  if (asked && `${asked}/` === prefix) return plain(response, 302, 'found\n', { Location: prefix + request.url.slice(rawPath.length) });
  const path = asked.startsWith(prefix) ? asked.slice(prefix.length - 1) : asked;
  if (!path.startsWith('/') || path.includes('\0')) return plain(response, 400, 'bad request\n');
  // The path asked for, not the one symlinks lead to: a mounted ConfigMap's files are links into `..data`.
  const hidden = path.split('/').some((name) => name.startsWith('.') && name !== '.well-known');
  const found = hidden ? null : await locate(path, request.headers.accept ?? '');
  if (!found) return plain(response, 404, 'not found\n');
  return sendFile(request, response, found);
}

async function answer(request, response) {
  const { method, url } = request;
  const began = performance.now();
  const log = () => console.log(JSON.stringify({ msg: 'request', method, url, status: response.statusCode, ms: Math.round(performance.now() - began) }));
  if (ACCESS_LOG === '1') response.once('close', log);
  try {
    await handle(request, response);
  } catch (error) {
    if (error.code === 'ERR_STREAM_PREMATURE_CLOSE') return; // the client left
    console.error(JSON.stringify({ msg: 'failed', method, url, error: error.message }));
    if (response.headersSent) response.destroy();
    else plain(response, 500, 'internal error\n');
  }
}

function fail(message) {
  console.error(`serve: ${message}`);
  process.exit(1);
}

function rootOf(folder) {
  if (!folder) fail('no folder given; usage: node serve.mjs ROOT');
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) fail(`${folder}: no such folder`);
  return join(realpathSync(folder), sep);
}

// Names as they were written, each once whatever its case: what HEADERS says counts.
function readHeaders(text) {
  try {
    const own = Object.entries(JSON.parse(text));
    for (const [name, value] of own) {
      validateHeaderName(name);
      if (typeof value !== 'string') fail(`HEADERS: ${name}: not text`);
      validateHeaderValue(name, value);
    }
    const named = new Map([...Object.entries(DEFAULT_HEADERS), ...own].map(([name, value]) => [name.toLowerCase(), [name, value]]));
    return [...named.values()].filter(([, value]) => value);
  } catch (error) {
    return fail(`HEADERS: ${error.message}`);
  }
}

// [prefix, URL], the longest first.
function readProxies(text) {
  try {
    const rows = Object.entries(JSON.parse(text));
    for (const [prefix, url] of rows) if (!prefix.startsWith('/') || !/^https?:$/.test(new URL(url).protocol)) fail(`PROXY: ${prefix}: not a path and a URL`);
    return rows.sort(([one], [other]) => other.length - one.length);
  } catch (error) {
    return fail(`PROXY: ${error.message}`);
  }
}

function stop() {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), GRACE_MS).unref();
}

const root = rootOf(process.argv[2]);
const prefix = join('/', PREFIX, '/');
if (!/^\d{1,5}$/.test(PORT) || Number(PORT) > 65535) fail(`PORT=${PORT}: not a port number`);
if (!/^\d{1,6}$/.test(STALL_SECONDS) || !Number(STALL_SECONDS)) fail(`STALL_SECONDS=${STALL_SECONDS}: not a number of seconds`);
const fixedHeaders = readHeaders(HEADERS);
const proxies = readProxies(PROXY);
const server = createServer(answer).on('upgrade', upgrade);
server.timeout = Number(STALL_SECONDS) * 1000; // closes the connection; a reader that never reads would hold it and its file for ever
const reasons = { EADDRINUSE: 'port is taken', EACCES: 'not allowed to listen on this port' };
server.on('error', (error) => fail(`${HOST}:${PORT}: ${reasons[error.code] ?? error.message}`));
server.listen(Number(PORT), HOST, () => console.log(JSON.stringify({ msg: 'listening', port: server.address().port })));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop);
