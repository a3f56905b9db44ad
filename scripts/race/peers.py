"""Those that people would take instead, each as the files that its documentation would have one write.

All install with `--ignore-scripts` and keep the package manager's cache in a mount, as bake does, and where a tool's
documentation installs or builds more than an image needs, the better way is taken.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.race.fleet import Fleet, Served

BUILD, RUNTIME = "node:24", "node:24-slim"
TURBO, PNPM, NX, NFT = "turbo@2.11.11", "pnpm@12.21.0", ("nx@23.3.1", "@nx/js@23.3.1"), "@vercel/nft@1.11.5"
FILE = "race.Dockerfile"

Lines = Iterator[str]
_NPM = "RUN --mount=type=cache,target=/root/.npm npm"
_QUIET = "--ignore-scripts --no-audit --no-fund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A way to the images. prepare: commands in its copy of the workspace, before anything is measured."""

    name: str
    says: str
    dockerfile: Callable[[Fleet], Lines] | None = None
    manifests: Callable[[Path, Fleet], None] | None = None
    """What it changes in the manifests and settings of its copy."""
    prepare: tuple[tuple[str, ...], ...] = ()
    update: tuple[str, ...] = ("npm", "install", "{version}", "--save-exact", "--workspace", "{folder}")
    singly: bool = False
    """Whether it builds image by image."""

    def write(self, root: Path, fleet: Fleet) -> None:
        """Write its Dockerfile into its copy of the workspace."""
        if self.dockerfile:
            (root / FILE).write_text("\n".join(self.dockerfile(fleet)) + "\n", encoding="utf-8")


def _classic(fleet: Fleet) -> Lines:
    yield from _builder(fleet)
    yield from (f"FROM build AS pruned\nRUN npm prune --omit=dev {_QUIET}", "")
    yield from _runtime()
    yield from (
        "FROM runtime AS modules",
        "COPY --from=pruned /app/package.json ./",
        "COPY --from=pruned /app/node_modules node_modules",
    )
    yield from (f"COPY --from=pruned /app/{path} {path}" for path in fleet.libraries)
    for service in fleet.services:
        yield from _service(service, f"COPY --from=pruned /app/{service.folder} {service.folder}", base="modules")


def _nft(fleet: Fleet) -> Lines:
    yield from _builder(fleet)
    yield from (f"FROM {BUILD} AS tracer", f"{_NPM} install --global {NFT}", "COPY race.trace.mjs /", "")
    yield from _runtime()
    for service in fleet.services:
        files = sorted({f"{service.folder}/{w}" for c in service.images.values() for w in c if "." in w})
        yield f"FROM build AS trace-{service.name}"
        yield "COPY --from=tracer /usr/local/lib/node_modules /usr/local/lib/node_modules"
        yield "COPY --from=tracer /race.trace.mjs /"
        yield f"RUN node /race.trace.mjs {' '.join(files)}"
        yield from _service(service, f"COPY --from=trace-{service.name} /traced ./")


def _turbo(fleet: Fleet) -> Lines:
    yield from (f"FROM {BUILD} AS tools", f"{_NPM} install --global {TURBO}", "WORKDIR /app", "")
    yield from _runtime()
    for service in fleet.services:
        name = service.name
        yield from (f"FROM tools AS prune-{name}", "COPY . .", f"RUN turbo prune {service.package} --docker")
        yield f"RUN turbo prune {service.package} --production --docker --out-dir=production"
        yield from (f"FROM tools AS build-{name}", f"COPY --from=prune-{name} /app/out/json/ ./")
        yield f"{_NPM} ci {_QUIET}"
        yield f"COPY --from=prune-{name} /app/out/full/ /app/tsconfig*.json ./"
        yield f"RUN turbo run build --filter={service.package}"
        yield from (f"FROM tools AS production-{name}", f"COPY --from=prune-{name} /app/production/json/ ./")
        yield f"{_NPM} ci --omit=dev {_QUIET}"
        without = "--exclude=**/node_modules --exclude=**/.turbo"
        copied = f"COPY --from=production-{name} /app ./\nCOPY --from=build-{name} {without} /app ./"
        yield from _service(service, copied, built=f"build-{name}")


def _pnpm(fleet: Fleet) -> Lines:
    mount = "RUN --mount=type=cache,id=pnpm,target=/pnpm/store"
    yield from (f"FROM {BUILD} AS build", "ENV CI=1 PNPM_HOME=/pnpm", "WORKDIR /app")
    yield f"{_NPM} install --global {PNPM}"
    yield "COPY pnpm-lock.yaml pnpm-workspace.yaml ./"
    yield f"{mount} pnpm fetch --ignore-scripts"
    yield from ("COPY . .", f"{mount} pnpm install --offline --frozen-lockfile --ignore-scripts")
    yield f"RUN pnpm {' '.join(f'--filter={s.package}...' for s in fleet.services)} run build"
    yield from _runtime()
    for service in fleet.services:
        yield f"FROM build AS deploy-{service.name}"
        yield f"{mount} pnpm --filter={service.package} deploy --prod --ignore-scripts /prod"
        yield from _service(service, f"COPY --from=deploy-{service.name} /prod {service.folder}")


def _nx(fleet: Fleet) -> Lines:
    yield from _builder(fleet, "RUN NX_DAEMON=false npx nx run-many --targets=prune,build")
    yield from _runtime()
    for service in fleet.services:
        dist = f"{service.folder}/dist"
        copied = f"COPY --from=build /app/{dist} {dist}\n{_NPM} ci --prefix {dist} --omit=dev {_QUIET}"
        # What lies beside the output is no part of it; a pattern may match nothing.
        yield from _service(
            service, f"{copied}\nCOPY --from=build /app/{service.folder}/asset[s]/ {service.folder}/assets/"
        )


def _builder(fleet: Fleet, build: str = "RUN npm run build") -> Lines:
    """One stage that installs and builds the whole workspace."""
    yield from (f"FROM {BUILD} AS build", "WORKDIR /app", "COPY package.json package-lock.json ./")
    yield from (f"COPY {path}/package.json {path}/" for path in fleet.packages)
    yield from (f"{_NPM} ci {_QUIET}", "COPY . .", build, "")


def _runtime() -> Lines:
    yield from (f"FROM {RUNTIME} AS runtime", "WORKDIR /app", "ENV NODE_ENV=production", "")


def _service(service: Served, copied: str, *, base: str = "runtime", built: str = "build") -> Lines:
    """A stage with the service's files, and one per image on it; the files of `built` alone where it serves those."""
    if service.static:
        base, copied = "runtime", f"COPY --from={built} /app/{service.folder}/{service.static} {service.static}"
    yield from (f"FROM {base} AS service-{service.name}", copied, f"WORKDIR /app/{service.folder}", "")
    for image, command in service.images.items():
        yield from (f"FROM service-{service.name} AS {image}", f"CMD {json.dumps(command)}", "")


def _turbo_manifests(root: Path, _fleet: Fleet) -> None:
    _change(root / "package.json", lambda m: m | {"packageManager": "npm@11.0.0"})
    tasks = {"build": {"dependsOn": ["^build"], "outputs": ["dist/**"]}}
    (root / "turbo.json").write_text(json.dumps({"tasks": tasks}), encoding="utf-8")


def _pnpm_manifests(root: Path, fleet: Fleet) -> None:
    lines = ("injectWorkspacePackages: true", "linkWorkspacePackages: true", "packages:")
    folders = (f"  - {path}" for path in fleet.packages)
    (root / "pnpm-workspace.yaml").write_text("\n".join((*lines, *folders)) + "\n", encoding="utf-8")
    manifests = [root / path / "package.json" for path in fleet.packages]
    members = {json.loads(file.read_text(encoding="utf-8"))["name"] for file in manifests}
    for file in manifests:
        _change(file, lambda manifest: manifest | _linked(manifest, members))


def _linked(manifest: Mapping[str, object], members: Collection[str]) -> dict[str, object]:
    """The dependencies of a manifest, those on the workspace's packages as pnpm writes them."""
    tables = {k: t for k, t in manifest.items() if k in {"dependencies", "devDependencies"} and isinstance(t, Mapping)}
    return {k: {n: "workspace:*" if n in members else v for n, v in table.items()} for k, table in tables.items()}


def _nx_manifests(root: Path, fleet: Fleet) -> None:
    defaults = {"build": {"dependsOn": ["^build"], "outputs": ["{projectRoot}/dist"], "cache": True}}
    (root / "nx.json").write_text(json.dumps({"targetDefaults": defaults, "analytics": False}), encoding="utf-8")
    options = {"buildTarget": "build"}
    names = ("prune-lockfile", "copy-workspace-modules")
    targets = {n: {"executor": f"@nx/js:{n}", "dependsOn": ["build"], "options": options} for n in names}
    prune = {"prune": {"executor": "nx:noop", "dependsOn": list(names)}}
    for service in fleet.services:
        if not service.static:
            _change(root / service.folder / "package.json", lambda m: m | {"nx": {"targets": targets | prune}})


def _trace_program(root: Path, _fleet: Fleet) -> None:
    (root / "race.trace.mjs").write_text(_TRACE, encoding="utf-8")


_TRACE = """\
import { copyFileSync, lstatSync, mkdirSync, readlinkSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";

const { nodeFileTrace } = createRequire("/usr/local/lib/node_modules/")("@vercel/nft");
const { fileList } = await nodeFileTrace(process.argv.slice(2), { base: "/app" });
for (const file of fileList) {
  const [from, to] = [`/app/${file}`, `/traced/${file}`];
  mkdirSync(dirname(to), { recursive: true });
  if (lstatSync(from).isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else copyFileSync(from, to);
}
"""


def _change(file: Path, change: Callable[[dict[str, object]], dict[str, object]]) -> None:
    file.write_text(json.dumps(change(json.loads(file.read_text(encoding="utf-8"))), indent=2), encoding="utf-8")


def _traced_config(root: Path, _fleet: Fleet) -> None:
    with (root / "bake.toml").open("a", encoding="utf-8") as config:
        config.write('\n[layers]\ntrace = "files"\n')


_LOCK_ONLY = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund")
_IN_PNPM = ("npx", "--yes", PNPM)

PEERS: Mapping[str, Peer] = {
    p.name: p
    for p in (
        Peer(name="bake", says="`bake all`"),
        Peer(name="traced", says='`bake all` with `trace = "files"`', manifests=_traced_config),
        Peer(
            name="classic",
            says="one Dockerfile with one builder stage, `npm prune`, `docker build` image by image",
            dockerfile=_classic,
            singly=True,
        ),
        Peer(
            name="builder",
            says="the same Dockerfile, all images by one `docker buildx bake`",
            dockerfile=_classic,
        ),
        Peer(
            name="turbo",
            says=f"{TURBO}: `prune --docker` to build, `prune --production --docker` and `npm ci` for the image",
            dockerfile=_turbo,
            manifests=_turbo_manifests,
        ),
        Peer(
            name="pnpm",
            says=f"{PNPM}: `fetch`, `install --offline`, `run build` for the services, `deploy --prod` for each",
            dockerfile=_pnpm,
            manifests=_pnpm_manifests,
            prepare=((*_IN_PNPM, "import"), ("rm", "package-lock.json")),
            update=(*_IN_PNPM, "add", "{version}", "--save-exact", "--lockfile-only", "--filter", "./{folder}"),
        ),
        Peer(
            name="nx",
            says=f"{NX[0]}: `@nx/js:prune-lockfile` and `copy-workspace-modules`, `npm ci` per image",
            dockerfile=_nx,
            manifests=_nx_manifests,
            prepare=(("npm", "install", "--save-dev", *NX, *_LOCK_ONLY),),
        ),
        Peer(
            name="nft",
            says=f"{NFT} alone, over the entry points of each service",
            dockerfile=_nft,
            manifests=_trace_program,
        ),
    )
}
