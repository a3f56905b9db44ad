// Cuts an installed workspace into the file trees that bake's images are made of. No dependencies, Node 18.3 or newer.
//
//   node main.mjs layers  --tree /app --plan /plan/layers.json --platform linux/arm64 --libc glibc --out /layers
//   node main.mjs package --tree /app --spec /plan/packages/NAME.json --out /out [--tracer /tracer [--analyses FILE]]
//   node main.mjs trace   --tree /app --spec /plan/traces/SERVICE.json --outs /bake/outs --tracer /tracer --out /traced
//   node main.mjs pick    --tree /app --spec /plan/traces/SERVICE.json --needs FILE --platform linux/arm64 --libc glibc --out /layers
//   node main.mjs standalone --tree /app --spec /plan/packages/NAME.json --platform linux/arm64 --libc glibc --dependencies /deps --out /out
//   node main.mjs minimal --base /base --path /usr/local/bin:/usr/bin --environment JSON --out /out
//   node main.mjs libraries --base /base --minimal /minimal --image /image --out /out [--program usr/bin/env]
//   node main.mjs builds  --tree /app --plan /plan/builds.json --out /builds
//
// Same tree, same bytes: modes are 0755 or 0644, every time is 2000-01-01, so equal layers have equal digests in every image.
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { carveBuilds } from './builds.mjs';
import { CarveError, fail } from './errors.mjs';
import { carveLayers } from './layers.mjs';
import { carvePackage } from './package.mjs';
import { carveLibraries, carveMinimal } from './minimal.mjs';
import { pickFiles, traceService } from './traced.mjs';
import { carveStandalone } from './standalone.mjs';

const COMMANDS = {
  layers: { run: carveLayers, options: ['tree', 'plan', 'platform', 'libc', 'out'] },
  package: { run: carvePackage, options: ['tree', 'spec', 'out'], optional: ['tracer', 'analyses'] },
  trace: { run: traceService, options: ['tree', 'spec', 'outs', 'tracer', 'out'] },
  pick: { run: pickFiles, options: ['tree', 'spec', 'needs', 'platform', 'libc', 'out'] },
  standalone: { run: carveStandalone, options: ['tree', 'spec', 'platform', 'libc', 'dependencies', 'out'] },
  minimal: { run: carveMinimal, options: ['base', 'path', 'environment', 'out'] },
  libraries: { run: carveLibraries, options: ['base', 'minimal', 'image', 'out'], optional: ['program'] },
  builds: { run: carveBuilds, options: ['tree', 'plan', 'out'] },
};

/** Runs one command; "" or what is wrong, a line per mistake. A defect of this script keeps its stack. */
export async function main(argv) {
  try {
    process.umask(0o022);
    const { run, options, optional = [] } = COMMANDS[argv[0]] ?? fail(`usage: main.mjs ${Object.keys(COMMANDS).join('|')} --tree DIR … --out DIR`);
    await run(readOptions(argv.slice(1), options, optional));
    return '';
  } catch (error) {
    if (error instanceof CarveError || error.syscall) return error.message.replace(/^/gm, 'carve: '); // the disk names its file
    throw error;
  }
}

function readOptions(args, names, optional) {
  let values;
  try {
    ({ values } = parseArgs({ args, options: Object.fromEntries([...names, ...optional].map((name) => [name, { type: 'string' }])) }));
  } catch (error) {
    fail(error.message);
  }
  const absent = names.filter((name) => values[name] === undefined);
  return absent.length ? fail(`missing ${absent.map((name) => `--${name}`).join(', ')}`) : values;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const complaint = await main(process.argv.slice(2));
  if (complaint) console.error(complaint);
  process.exitCode = complaint ? 1 : 0;
}
