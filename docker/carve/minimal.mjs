// `minimal` takes Node and what it needs to run out of a base image of any platform, by reading it: nothing of it runs here.
// `libraries` takes what native packages need beside that.
import { lchownSync, lstatSync, mkdirSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { binary, linked } from './binaries.mjs';
import { fail } from './errors.mjs';
import { walk, writeStamped } from './files.mjs';
import { takeRecords } from './installed.mjs';
import { basename, dirname, join } from './paths.mjs';
import { copyLink, findLibrary, libraryFolders, makeFolder, readText, resolve, stampTree, take } from './rooted.mjs';

// What native packages and getaddrinfo load by these names, be it by no file's demand: glibc's parts, and those of the compiler.
const LIBRARIES = [
  'libdl.so.2', 'libm.so.6', 'libpthread.so.0', 'librt.so.1', 'libutil.so.1', 'libanl.so.1', 'libresolv.so.2', 'libnss_dns.so.2',
  'libnss_files.so.2', 'libgcc_s.so.1', 'libstdc++.so.6',
];
const BUNDLES = [
  'etc/ssl/certs/ca-certificates.crt', 'etc/pki/tls/certs/ca-bundle.crt', 'etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  'etc/ssl/ca-bundle.pem', 'etc/ssl/cert.pem',
];
const FILES = [
  'etc/ld.so.cache', 'etc/nsswitch.conf', 'etc/localtime', 'etc/timezone', 'etc/passwd', 'etc/group',
  'etc/os-release', 'etc/debian_version', 'etc/alpine-release', 'etc/redhat-release', // what scanners know a distribution by
];
// What a Node that is linked with the distribution's libraries reads: its settings of OpenSSL, ICU's data, modules of Node's own.
const DATA = [
  [/^libcrypto\./, ['etc/ssl/openssl.cnf', 'etc/pki/tls/openssl.cnf', 'etc/crypto-policies/back-ends']],
  [/^libicudata\./, ['usr/share/icu']],
  [/^libnode\./, ['acorn', 'acorn-walk', 'amaro', 'cjs-module-lexer', 'minimatch', 'undici'].map((name) => `usr/share/nodejs/${name}`)],
];
const NAMED = /^(SSL_CERT_DIR|NODE_ICU_DATA|OPENSSL_MODULES)$/; // variables whose folders are read
const FOLDERS = { 'proc': 0o755, 'sys': 0o755, 'dev': 0o755, 'run': 0o755, 'tmp': 0o1777, 'var/tmp': 0o1777 };
const USER = 1000; // `node` of Node's own images, and the user that images have unless bake.toml says another

export function carveMinimal({ base, path, environment, out }) {
  const job = { base, out, taken: new Set(), folders: libraryFolders(base) };
  const node = path.split(':').map((folder) => join(folder, 'node')).find((file) => isFile(base, file));
  if (!node) fail(`the base image has no node in ${path}, of which a minimal one could be made`);
  const { path: program } = resolve(base, node);
  if (!binary(base, program).length) fail(`${program} of the base image is a script, which a minimal base could not start`);
  mkdirSync(out, { recursive: true });
  const { arch, interpreter = '' } = linked(base, program) ?? {};
  takeLinked(job, [node]);
  for (const name of LIBRARIES) takeLinked(job, [findLibrary(job, name, { arch })].filter(Boolean));
  takeVariables(job, JSON.parse(environment), arch);
  for (const file of FILES) take(job, file);
  takeData(job);
  const bundles = BUNDLES.filter((file) => isFile(base, file));
  for (const file of bundles) take(job, file);
  if (!bundles.length) writeOwn(out, BUNDLES[0], `${rootCertificates.join('\n')}\n`);
  if (/ld-linux|ld64|ld\.so/.test(interpreter) && !resolve(base, 'etc/nsswitch.conf')) writeOwn(out, 'etc/nsswitch.conf', 'hosts: files dns\n');
  take(job, 'usr/share/zoneinfo', (name) => name === 'posix' || name === 'right');
  for (const link of ['var/run', 'var/lock']) if (lstatSync(join(base, link), { throwIfNoEntry: false })?.isSymbolicLink()) copyLink(job, link);
  for (const [folder, mode] of Object.entries(FOLDERS)) makeFolder(out, folder, mode);
  makeHomes(job);
  takeRecords(job);
  stampTree(out);
}

export function carveLibraries({ base, minimal, image, program, out }) {
  const job = { base, out, taken: new Set(), folders: libraryFolders(base), there: { base: minimal, folders: libraryFolders(base) } };
  const files = walk(image, () => true);
  const own = new Set(files.map((path) => basename(path)));
  mkdirSync(out, { recursive: true });
  for (const path of files.filter((each) => lstatSync(join(image, each)).isFile())) {
    const elf = linked(image, path);
    for (const name of elf?.needed.filter((each) => !own.has(each)) ?? []) takeNeeded(job, name, elf, () => {
      console.log(`warning: ${path.replace(/^.*?(?=node_modules\/)/, '')}: needs ${name}, which neither its package nor the base image has`);
    });
  }
  if (program) takeProgram(job, program);
  takeRecords(job);
  stampTree(out);
}

/** A program that is that and nothing more: a link to one that does all, such as busybox, would bring its shell. */
function takeProgram(job, path) {
  const found = resolve(job.base, path);
  if (!found || basename(found.path) !== basename(path) || !linked(job.base, found.path)) {
    const what = found ? `is ${found.path} there, which is more than that` : 'is not there';
    fail(`/${path} of the base image, which starts commands of packages, ${what}; start their files, \`node node_modules/…\``);
  }
  takeLinked(job, [path]);
}

const isFile = (root, path) => Boolean(resolve(root, path)) && lstatSync(join(root, resolve(root, path).path)).isFile();

/** Files, the loaders that they name, and the libraries that they are linked with. */
function takeLinked(job, paths) {
  for (const path of paths.flatMap((each) => take(job, each))) {
    const elf = linked(job.base, path);
    if (!elf) continue;
    if (elf.interpreter) takeLinked(job, [elf.interpreter]);
    for (const name of elf.needed) takeNeeded(job, name, { ...elf, path }, () => fail(`${path} of the base image needs ${name}, which that has not`));
  }
}

function takeNeeded(job, name, elf, missing) {
  if (job.there && findLibrary(job.there, name, { arch: elf.arch })) return;
  const found = findLibrary(job, name, elf);
  if (found) takeLinked(job, [found]);
  else missing();
}

/** What the image's variables name comes along: certificates, settings, a library that is loaded first. */
function takeVariables(job, environment, arch) {
  for (const [name, value] of Object.entries(environment).filter(([key]) => key !== 'PATH')) {
    for (const word of value.split(/[\s:=,]+/).filter(Boolean)) {
      if (word.startsWith('/') && (isFile(job.base, word) || NAMED.test(name))) takeLinked(job, [word]);
      else if (name === 'LD_PRELOAD') takeLinked(job, [findLibrary(job, word, { arch })].filter(Boolean));
    }
  }
}

function takeData(job) {
  const names = [...job.taken].map((path) => basename(path));
  for (const [library, paths] of DATA) if (names.some((name) => library.test(name))) paths.forEach((path) => take(job, path));
  const crypto = [...job.taken].find((path) => /^libcrypto\./.test(basename(path)));
  if (crypto) takeLinked(job, [join(dirname(crypto), 'ossl-modules')]);
}

/** Users' homes as the base has them, and the user that processes run as. */
function makeHomes({ base, out }) {
  const rows = readText(base, 'etc/passwd').split('\n').filter(Boolean).map((line) => line.split(':'));
  if (!rows.some(([, , uid]) => uid === '0')) rows.unshift(addUser({ base, out }, 'root', 0, '/root'));
  if (!rows.some(([, , uid]) => Number(uid) === USER)) rows.push(addUser({ base, out }, 'node', USER, '/home/node'));
  for (const [, , uid, gid, , home] of rows.filter((row) => /^\/(root|home\/[^/]+)\/?$/.test(row[5]))) {
    const kind = lstatSync(join(base, home), { throwIfNoEntry: false });
    if (!kind?.isDirectory() && Number(uid) !== USER) continue;
    makeFolder(out, home, kind?.isDirectory() ? kind.mode & 0o777 : 0o755);
    lchownSync(join(out, home), ...(kind?.isDirectory() ? [kind.uid, kind.gid] : [Number(uid), Number(gid)]));
  }
}

function addUser({ base, out }, name, id, home) {
  append(out, 'etc/passwd', `${name}:x:${id}:${id}::${home}:/sbin/nologin\n`, readText(out, 'etc/passwd'));
  if (!new RegExp(`^[^:]*:[^:]*:${id}:`, 'm').test(readText(base, 'etc/group'))) append(out, 'etc/group', `${name}:x:${id}:\n`, readText(out, 'etc/group'));
  return [name, 'x', String(id), String(id), '', home];
}

const append = (out, path, line, before) => writeOwn(out, path, (before && !before.endsWith('\n') ? `${before}\n` : before) + line);

function writeOwn(out, path, text) {
  mkdirSync(join(out, dirname(path)), { recursive: true });
  writeStamped(join(out, path), text);
}
