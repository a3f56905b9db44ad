// What a package manager knows of the files that were taken: scanners read it, and tell of their advisories.
import { mkdirSync } from 'node:fs';
import { list, writeStamped } from './files.mjs';
import { join } from './paths.mjs';
import { readText, resolve } from './rooted.mjs';

const DPKG = 'var/lib/dpkg';
const APK = ['lib/apk/db', 'usr/lib/apk/db'];

/** Records of the packages that files are of, in the place where images without a package manager have them. */
export function takeRecords({ base, out, taken }) {
  const owned = (paths) => paths.some((path) => taken.has(resolve(base, path)?.path));
  const folder = join(out, DPKG, 'status.d');
  for (const [name, text] of records(base, owned)) {
    mkdirSync(folder, { recursive: true });
    writeStamped(join(folder, name), `${text}\n`);
  }
  for (const home of APK.filter((each) => !resolve(base, each)?.links.length)) {
    const kept = readText(base, `${home}/installed`).split(/\n{2,}/).filter((text) => owned(apkPaths(text)));
    if (!kept.length) continue;
    mkdirSync(join(out, home), { recursive: true });
    writeStamped(join(out, home, 'installed'), `${kept.join('\n\n')}\n\n`);
  }
}

/** [name, text] of Debian's packages; distroless images have a file of each, and of its files' sums another. */
function records(base, owned) {
  const all = readText(base, `${DPKG}/status`).split(/\n{2,}/).filter(Boolean);
  const own = all.map((text) => [field(text, 'Package'), field(text, 'Architecture'), text]);
  const installed = own.filter(([name, arch]) => owned(listed(base, name, arch))).map(([name, , text]) => [name, text]);
  const alone = list(join(base, DPKG, 'status.d')).map(({ name }) => name).filter((name) => !name.endsWith('.md5sums'));
  const sums = (name) => readText(base, `${DPKG}/status.d/${name}.md5sums`).split('\n').map((line) => line.slice(34)).filter(Boolean);
  return [...installed, ...alone.filter((name) => owned(sums(name))).map((name) => [name, readText(base, `${DPKG}/status.d/${name}`).trimEnd()])];
}

const field = (text, name) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';

const listed = (base, name, arch) => [name, `${name}:${arch}`].flatMap((each) => readText(base, `${DPKG}/info/${each}.list`).split('\n')).filter((path) => path.length > 2);

/** F: a folder, R: a file in it. Source: wiki.alpinelinux.org/wiki/Apk_spec. */
function apkPaths(text) {
  let folder = '';
  return text.split('\n').flatMap((line) => {
    if (line.startsWith('F:')) folder = line.slice(2);
    return line.startsWith('R:') ? [join(folder, line.slice(2))] : [];
  });
}
