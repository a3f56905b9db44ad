// What platform a native binary is for, and what it is linked with.
import { closeSync, lstatSync, openSync, readSync } from 'node:fs';
import { join } from './paths.mjs';

// Numbers from the ELF specification (elf.h).
const ELF = 0x7f454c46;
const MACHINES = { 3: '386', 8: 'mips', 20: 'ppc', 21: 'ppc64', 22: 's390x', 40: 'arm', 62: 'amd64', 183: 'arm64', 243: 'riscv64', 258: 'loong64' };
const SYSTEMS = { 2: 'netbsd', 6: 'solaris', 9: 'freebsd', 12: 'openbsd' }; // EI_OSABI; 0 and 3 are Linux
const SEGMENT = { load: 1, dynamic: 2, interpreter: 3, note: 4 };
const TAG = { needed: 1, strings: 5, path: 15, runPath: 29 };
const MOST_READ = 1 << 20; // bytes of one segment or name table; real ones are far smaller

/** [] or what the file is for: {path, system, arch, libc, linkable}. linkable: an ELF file, that Linux would try to load. */
export function binary(directory, path) {
  if (!lstatSync(join(directory, path)).isFile()) return [];
  const file = openSync(join(directory, path), 'r');
  try {
    const magic = read(file, 0, 4);
    if (magic.length < 4) return [];
    if (magic.readUInt32BE() === ELF) return readElf(file).map((found) => ({ path, linkable: true, ...found }));
    const system = systemOf(magic, path);
    return system ? [{ path, linkable: false, system, arch: '', libc: '' }] : [];
  } finally {
    closeSync(file);
  }
}

/** Windows and macOS binaries are told from text by magic and name together: a Java class begins like a fat Mach-O. */
function systemOf(magic, path) {
  if (path.endsWith('.pdb')) return magic.toString('latin1') === 'Micr' ? 'windows' : ''; // a program database of Microsoft's
  if (!/\.(node|exe|dll|dylib)$/.test(path)) return '';
  if (magic.toString('latin1', 0, 2) === 'MZ') return 'windows';
  return ['cffaedfe', 'cefaedfe', 'cafebabe'].includes(magic.toString('hex')) ? 'darwin' : '';
}

/** What the loader does for an ELF file: {arch, interpreter, needed, paths}; null for other files, and for what is linked with nothing. */
export function linked(directory, path) {
  const file = openSync(join(directory, path), 'r');
  try {
    const header = read(file, 0, 64);
    const elf = header.length > 4 && header.readUInt32BE() === ELF ? openElf(header) : null;
    const segments = elf?.segments((offset, length) => read(file, offset, length)) ?? [];
    if (!segments.some(({ type }) => type === SEGMENT.dynamic)) return null;
    const interpreter = segments.find(({ type }) => type === SEGMENT.interpreter)?.bytes().toString('latin1').split('\0')[0] ?? '';
    const paths = [TAG.path, TAG.runPath].flatMap((tag) => told(tag, elf, segments)).flatMap((each) => each.split(':')).filter(Boolean);
    return { arch: elf.arch, interpreter, needed: told(TAG.needed, elf, segments), paths };
  } finally {
    closeSync(file);
  }
}

export function fits(found, { platform, libc }) {
  const [system, arch] = platform.split('/');
  return found.system === system && found.arch === arch && (!found.libc || !libc || found.libc === libc);
}

const parsePlatform = ({ platform, libc }) => ({ system: platform.split('/')[0], arch: platform.split('/')[1], libc });
const describe = ({ system, arch, libc }) => [system, arch].filter(Boolean).join('/') + (libc ? ` (${libc})` : '');

export function complainOf(where, foreign, wanted) {
  const first = foreign.find(({ linkable }) => linkable);
  const more = foreign.length > 1 ? ` (and ${foreign.length - 1} more)` : '';
  return `${where}: ${first.path}${more} is for ${describe(first)}, wanted ${describe(parsePlatform(wanted))}; `
    + 'install or build it for the target platform';
}

function readElf(file) {
  const elf = openElf(read(file, 0, 64));
  if (!elf) return [];
  const segments = elf.segments((offset, length) => read(file, offset, length));
  const text = (kind) => segments.filter(({ type }) => type === kind).map((each) => each.bytes().toString('latin1')).join('\0');
  const system = SYSTEMS[elf.abi] ?? /(Android|NetBSD|OpenBSD|FreeBSD)\0/.exec(text(SEGMENT.note))?.[1].toLowerCase() ?? 'linux';
  return [{ system, arch: elf.arch, libc: libcOf([text(SEGMENT.interpreter), ...told(TAG.needed, elf, segments)]) }];
}

/** A static binary names neither an interpreter nor a libc and runs on any. */
function libcOf(names) {
  if (names.some((name) => /(^|\/)(ld-musl-|libc\.musl-)/.test(name) || name === 'libc.so')) return 'musl';
  return names.some((name) => /(^|\/)(ld-linux|ld64\.so|ld\.so|libc\.so\.6)/.test(name)) ? 'glibc' : '';
}

/** Reads fields of either width and byte order; null when the header is cut short (a test's fixture, say). */
function openElf(header) {
  if (header.length < 52) return null;
  const [wide, little] = [header[4] === 2, header[5] === 1];
  if (wide && header.length < 64) return null;
  const half = (bytes, at) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const word = (bytes, at) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const address = (bytes, at) => (wide ? Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)) : word(bytes, at));
  const machine = half(header, 18);
  const arch = (MACHINES[machine] ?? `machine ${machine}`) + ([8, 21].includes(machine) && little ? 'le' : '');
  const [table, size, count] = wide ? [address(header, 32), half(header, 54), half(header, 56)]
    : [word(header, 28), half(header, 42), half(header, 44)];
  const segments = (readAt) => {
    const least = wide ? 56 : 32;
    const rows = size < least ? [] : split(readAt(table, size * count), size, least);
    return rows.map((row) => segmentOf(row, { wide, word, address, readAt }));
  };
  return { abi: header[7], arch, wide, address, segments };
}

function segmentOf(row, { wide, word, address, readAt }) {
  const [offset, base, size] = (wide ? [8, 16, 32] : [4, 8, 16]).map((at) => address(row, at));
  return { type: word(row, 0), offset, base, size, bytes: () => readAt(offset, size), readAt };
}

/** The texts that the dynamic section has for a tag, such as the names of the libraries that it asks for. */
function told(wanted, { wide, address }, segments) {
  const width = wide ? 8 : 4;
  const dynamic = segments.find(({ type }) => type === SEGMENT.dynamic);
  const rows = split(dynamic?.bytes() ?? Buffer.alloc(0), 2 * width, 2 * width).map((row) => [address(row, 0), address(row, width)]);
  const strings = rows.find(([tag]) => tag === TAG.strings)?.[1];
  const home = segments.find(({ type, base, size }) => type === SEGMENT.load && strings >= base && strings < base + size);
  if (!home) return [];
  const names = home.readAt(home.offset + strings - home.base, home.base + home.size - strings).toString('latin1');
  return rows.filter(([tag]) => tag === wanted).map(([, at]) => names.slice(at, names.indexOf('\0', at)));
}

function split(bytes, step, least) {
  const rows = [];
  for (let at = 0; at + least <= bytes.length; at += step) rows.push(bytes.subarray(at, at + step));
  return rows;
}

function read(file, offset, length) {
  const sane = Number.isSafeInteger(offset) && length > 0;
  const bytes = Buffer.alloc(sane ? Math.min(length, MOST_READ) : 0);
  return bytes.subarray(0, sane ? readSync(file, bytes, 0, bytes.length, offset) : 0);
}
