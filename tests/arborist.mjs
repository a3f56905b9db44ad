// What npm itself does, by the Arborist inside the npm on PATH. One JSON question per line of standard input:
//   {cache, registry, lock: [root…], install: [{root, workspace, platform, libc}…]}
// Writes package-lock.json into each `lock` directory; then answers, on one line, for each `install` the sorted
// places that `npm ci --omit=dev [--workspace X]` would fill there: {"places": […]}, or {"error": "…"}.
// Nothing is installed.
import { execFileSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { relative, sep } from 'node:path'
import { createInterface } from 'node:readline'

const npm = realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())
const Arborist = createRequire(npm)('@npmcli/arborist')
const cpus = { amd64: 'x64' }
const always = { audit: false, ignoreScripts: true, packageLock: true }

async function writeLock (common, path) {
  const options = { ...common, path, packageLockOnly: true, save: true, complete: true }
  await new Arborist(options).reify(options)
}

async function places (common, { root, workspace, platform, libc }) {
  const path = realpathSync(root)
  const [os, architecture] = platform.split('/')
  const options = {
    ...common,
    path,
    workspaces: workspace ? [workspace] : [],
    omit: ['dev'],
    os,
    cpu: cpus[architecture] ?? architecture,
    libc,
    dryRun: true,
    save: false,
  }
  const arborist = new Arborist(options)
  await arborist.buildIdealTree()
  await arborist.reify(options)
  const added = new Set()
  const queue = [arborist.diff]
  for (const diff of queue) {
    queue.push(...diff.children)
    if (diff.action === 'ADD') {
      added.add(diff.ideal)
    }
  }
  // A bundle comes with its bundler's tarball: the difference does not list it.
  for (const node of added) {
    [...node.children.values()].filter(child => child.inDepBundle).forEach(child => added.add(child))
  }
  const found = [...added].map(node => relative(path, node.path).split(sep).join('/'))
  return found.filter(place => place.includes('node_modules/')).sort()
}

async function answer ({ cache, registry, lock = [], install = [] }) {
  const common = { ...always, cache, registry }
  for (const root of lock) {
    await writeLock(common, root)
  }
  const found = []
  for (const request of install) {
    found.push(await places(common, request))
  }
  return found
}

for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).then(places => ({ places }), error => ({ error: error.stack }))
  console.log(JSON.stringify(reply))
}
