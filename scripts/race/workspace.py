"""Write a workspace to race on: twelve packages of TypeScript on about a thousand packages from npm.

It has the size and the shape of AppHub, a public monorepo, and nothing of its text: four services with eleven
processes, a frontend, a CLI, and libraries that these share. The lockfile is npm's, of a fixed day.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DAY = "2026-10-01"
"""No version that is newer gets into the lockfile."""
SCOPE = "@fleet"

# How code uses a dependency: its import, and an expression that neither connects nor starts anything.
USES: Mapping[str, tuple[str, str]] = {
    "@aws-sdk/client-s3": ('import { S3Client } from "@aws-sdk/client-s3";', "new S3Client({})"),
    "@aws-sdk/lib-storage": ('import { Upload } from "@aws-sdk/lib-storage";', "Upload"),
    "@aws-sdk/s3-request-presigner": ('import { getSignedUrl } from "@aws-sdk/s3-request-presigner";', "getSignedUrl"),
    "@azure/storage-blob": ('import { BlobServiceClient } from "@azure/storage-blob";', "BlobServiceClient"),
    "@fastify/cookie": ('import cookie from "@fastify/cookie";', "cookie"),
    "@fastify/cors": ('import cors from "@fastify/cors";', "cors"),
    "@fastify/multipart": ('import multipart from "@fastify/multipart";', "multipart"),
    "@fastify/swagger": ('import swagger from "@fastify/swagger";', "swagger"),
    "@fastify/swagger-ui": ('import swaggerUi from "@fastify/swagger-ui";', "swaggerUi"),
    "@fastify/websocket": ('import websocket from "@fastify/websocket";', "websocket"),
    "@google-cloud/storage": ('import { Storage } from "@google-cloud/storage";', "Storage"),
    "@opentelemetry/api": ('import { trace } from "@opentelemetry/api";', 'trace.getTracer("fleet")'),
    "ajv": ('import { Ajv } from "ajv";', "new Ajv()"),
    "bullmq": ('import { Queue } from "bullmq";', "Queue"),
    "commander": ('import { Command } from "commander";', "new Command()"),
    "croner": ('import { Cron } from "croner";', 'new Cron("0 0 * * *").nextRun()'),
    "fast-glob": ('import glob from "fast-glob";', "glob"),
    "form-data": ('import FormData from "form-data";', "new FormData()"),
    "ioredis": ('import { Redis } from "ioredis";', "new Redis({ lazyConnect: true })"),
    "js-yaml": ('import { load } from "js-yaml";', 'load("a: 1")'),
    "liquidjs": ('import { Liquid } from "liquidjs";', "new Liquid()"),
    "openid-client": ('import { randomState } from "openid-client";', "randomState()"),
    "pg": ('import pg from "pg";', "new pg.Pool()"),
    "prom-client": ('import { Registry } from "prom-client";', "new Registry()"),
    "simple-git": ('import { simpleGit } from "simple-git";', "simpleGit"),
    "tar": ('import { create } from "tar";', "create"),
    "undici": ('import { Agent } from "undici";', "new Agent()"),
    "yaml": ('import { parse } from "yaml";', 'parse("a: 1")'),
    "zod-to-json-schema": ('import { zodToJsonSchema } from "zod-to-json-schema";', "zodToJsonSchema"),
}
VERSIONS: Mapping[str, str] = {
    "@aws-sdk/client-s3": "^3.896.0",
    "@aws-sdk/lib-storage": "^3.896.0",
    "@aws-sdk/s3-request-presigner": "^3.896.0",
    "@azure/storage-blob": "^12.28.0",
    "@eslint/js": "^9.36.0",
    "@fastify/cookie": "^11.0.2",
    "@fastify/cors": "^11.1.0",
    "@fastify/multipart": "^9.2.1",
    "@fastify/swagger": "^9.5.2",
    "@fastify/swagger-ui": "^5.2.3",
    "@fastify/websocket": "^11.2.0",
    "@google-cloud/storage": "^7.17.1",
    "@opentelemetry/api": "^1.9.0",
    "@playwright/test": "^1.55.0",
    "@tailwindcss/vite": "^4.1.13",
    "@tanstack/react-virtual": "^3.13.12",
    "@testing-library/jest-dom": "^6.8.0",
    "@testing-library/react": "^16.3.0",
    "@types/js-yaml": "^4.0.9",
    "@types/node": "^24.5.2",
    "@types/pg": "^8.15.5",
    "@types/react": "^19.1.13",
    "@types/react-dom": "^19.1.9",
    "@vitejs/plugin-react": "^5.0.3",
    "ajv": "^8.17.1",
    "bullmq": "^5.58.8",
    "classnames": "^2.5.1",
    "commander": "^12.1.0",
    "concurrently": "^9.2.1",
    "croner": "8.0.0",
    "eslint": "^9.36.0",
    "eslint-plugin-react-hooks": "^5.2.0",
    "fast-glob": "^3.3.2",
    "fastify": "^5.6.1",
    "fflate": "^0.8.2",
    "form-data": "^4.0.0",
    "ioredis": "^5.8.0",
    "ioredis-mock": "^8.9.0",
    "jest": "^30.1.0",
    "js-yaml": "^4.1.0",
    "jsdom": "^26.1.0",
    "liquidjs": "^10.13.0",
    "monaco-editor": "^0.53.0",
    "openid-client": "^6.8.0",
    "pg": "^8.16.3",
    "prom-client": "^15.1.3",
    "react": "^19.1.1",
    "react-dom": "^19.1.1",
    "react-router-dom": "^7.9.2",
    "s3rver": "^3.7.1",
    "simple-git": "^3.28.0",
    "tailwindcss": "^4.1.13",
    "tar": "^7.5.1",
    "ts-node": "^10.9.2",
    "tsx": "^4.20.5",
    "typescript": "~5.9.2",
    "typescript-eslint": "^8.44.1",
    "undici": "^6.20.1",
    "vite": "^7.1.7",
    "vitest": "^3.2.4",
    "yaml": "^2.8.1",
    "zod": "^3.25.76",
    "zod-to-json-schema": "^3.24.6",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A package. needs: libraries. modules: how much code it has. processes: entry point -> port, 0 for a worker."""

    needs: Sequence[str] = ()
    dependencies: Sequence[str] = ()
    development: Sequence[str] = ()
    modules: int
    processes: Mapping[str, int] = field(default_factory=dict)


_TOOLS = ("@types/node", "tsx", "typescript")
_TESTS = (*_TOOLS, "ioredis-mock", "s3rver", "ts-node")
_HTTP = ("fastify", "ioredis", "pg", "prom-client", "zod")
_OPENAPI = ("@fastify/cors", "@fastify/swagger", "@fastify/swagger-ui", "@fastify/websocket", "zod-to-json-schema")
_S3 = ("@aws-sdk/client-s3", "@aws-sdk/s3-request-presigner")

MEMBERS: Mapping[str, Member] = {
    "packages/schemas": Member(dependencies=("zod",), development=_TOOLS, modules=12),
    "packages/event-bus": Member(dependencies=("bullmq", "zod"), development=_TOOLS, modules=6),
    "packages/shared": Member(
        needs=("schemas",), dependencies=("pg", "zod"), development=(*_TOOLS, "@types/pg"), modules=14
    ),
    "packages/filestore-client": Member(
        needs=("shared",), dependencies=("form-data", "undici", "zod"), development=_TOOLS, modules=6
    ),
    "packages/bundler": Member(
        needs=("schemas",), dependencies=("fast-glob", "simple-git", "tar", "zod"), development=_TOOLS, modules=9
    ),
    "packages/mocks": Member(needs=("schemas",), dependencies=("zod",), development=(*_TOOLS, "jest"), modules=3),
    "services/catalog": Member(
        needs=("bundler", "event-bus", "shared"),
        dependencies=(
            *(*_HTTP, *_OPENAPI, *_S3, "@fastify/cookie", "bullmq", "croner", "liquidjs"),
            *("openid-client", "simple-git", "tar", "yaml"),
        ),
        development=(*_TESTS, "@types/pg"),
        modules=90,
        processes={"server": 4000, "ingestion": 0, "builds": 0, "launches": 0, "workflows": 0},
    ),
    "services/metastore": Member(
        needs=("event-bus", "shared"),
        dependencies=(*_HTTP, *_OPENAPI),
        development=(*_TOOLS, "@types/pg"),
        modules=30,
        processes={"server": 4100},
    ),
    "services/filestore": Member(
        needs=("event-bus", "shared"),
        dependencies=(*_HTTP, *_S3, "@fastify/multipart", "bullmq"),
        development=(*_TESTS, "@types/pg"),
        modules=25,
        processes={"server": 4200, "reconcile": 0},
    ),
    "services/timestore": Member(
        needs=("event-bus", "filestore-client", "shared"),
        dependencies=(
            *(*_HTTP, *_S3, "@aws-sdk/lib-storage", "@azure/storage-blob", "@google-cloud/storage"),
            *("@opentelemetry/api", "bullmq", "js-yaml"),
        ),
        development=(*_TESTS, "@types/pg", "@types/js-yaml"),
        modules=40,
        processes={"server": 4300, "ingest": 0, "lifecycle": 0},
    ),
    "apps/cli": Member(
        needs=("bundler",),
        dependencies=("ajv", "commander", "fast-glob", "yaml", "zod"),
        development=_TOOLS,
        modules=15,
        processes={"main": 0},
    ),
    "apps/frontend": Member(
        needs=("schemas",),
        dependencies=(
            *("@tanstack/react-virtual", "ajv", "classnames", "fflate", "monaco-editor", "react", "react-dom"),
            *("react-router-dom", "zod"),
        ),
        development=(
            *(*_TOOLS, "@eslint/js", "@playwright/test", "@tailwindcss/vite", "@testing-library/jest-dom"),
            *("@testing-library/react", "@types/react", "@types/react-dom", "@vitejs/plugin-react", "eslint"),
            *("eslint-plugin-react-hooks", "jsdom", "tailwindcss", "typescript-eslint", "vite", "vitest"),
        ),
        modules=90,
    ),
}


def write_workspace(root: Path) -> None:
    """Write the workspace and its lockfile below `root`; asks the npm registry."""
    for path, text in workspace_files().items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    words = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", f"--before={DAY}")
    subprocess.run(["npm", "install", *words], cwd=root, check=True, capture_output=True)


def workspace_files() -> Mapping[str, str]:
    """Path -> text, of all files but the lockfile."""
    root = {
        "name": "fleet",
        "private": True,
        "workspaces": ["packages/*", "services/*", "apps/*"],
        "scripts": {"build": "npm run build --workspaces --if-present"},
        "devDependencies": _versions(("@types/node", "concurrently", "typescript")),
    }
    files = {
        "package.json": _json(root),
        ".gitignore": "node_modules/\ndist/\n.bake/\n*.tsbuildinfo\n",
        ".dockerignore": "**/node_modules\n**/dist\n.bake\n.git\n**/*.tsbuildinfo\n",
        "tsconfig.base.json": _json({"compilerOptions": _COMPILER}),
        "bake.toml": "".join(_bake_toml()),
    }
    for path, member in MEMBERS.items():
        files |= {f"{path}/{name}": text for name, text in _member_files(path, member)}
    return files


_COMPILER = {
    "target": "ES2022",
    "module": "NodeNext",
    "strict": True,
    "composite": True,
    "sourceMap": True,
    "skipLibCheck": True,
    "types": ["node"],
}


def _bake_toml() -> Iterator[str]:
    yield '[project]\nname = "fleet"\n\n[install]\nwithout-scripts = ["esbuild", "msgpackr-extract"]\n'
    for path, member in MEMBERS.items():
        name = path.rpartition("/")[2]
        if path == "apps/frontend":
            yield f'\n[services.{name}]\npackage = "{path}"\nstatic = "dist"\n'
        elif len(member.processes) == 1:
            yield f'\n[services.{name}]\npackage = "{path}"\n' + "\n".join(
                _process(*next(iter(member.processes.items())))
            )
        elif member.processes:
            yield f'\n[services.{name}]\npackage = "{path}"\n'
            for process, port in member.processes.items():
                yield f"\n[services.{name}.roles.{process}]\n" + "\n".join(_process(process, port))


def _process(name: str, port: int) -> Iterator[str]:
    yield f'command = "node dist/{name}.js"'
    if port:
        yield f'port = {port}\nhealth = "/healthz"'
    elif name == "main":
        yield "once = true"
    else:
        yield 'health = { log = "ready" }'
    yield ""


def _member_files(path: str, member: Member) -> Iterator[tuple[str, str]]:
    frontend = path == "apps/frontend"
    yield "package.json", _json(_manifest(path, member))
    yield "tsconfig.json", _json(_tsconfig(member, frontend=frontend))
    for number in range(member.modules):
        yield f"src/records/record-{number:03}.ts", _record(number)
    yield "src/records/index.ts", "".join(f'export * from "./record-{n:03}.js";\n' for n in range(member.modules))
    if frontend:
        yield from _FRONTEND.items()
        return
    yield "src/clients.ts", _clients(member)
    yield "src/index.ts", 'export * from "./records/index.js";\nexport { clients } from "./clients.js";\n'
    for process, port in member.processes.items():
        yield f"src/{process}.ts", _server(member) if port else _worker(process)


def _manifest(path: str, member: Member) -> Mapping[str, Any]:
    name = path.rpartition("/")[2]
    library = {"main": "dist/index.js", "types": "dist/index.d.ts", "files": ["dist"]}
    needs = {f"{SCOPE}/{n}": "1.0.0" for n in member.needs}
    return {
        "name": f"{SCOPE}/{name}",
        "version": "1.0.0",
        "private": True,
        "type": "module",
        **({} if path == "apps/frontend" else library),
        "scripts": {"build": "tsc -b && vite build" if path == "apps/frontend" else "tsc -b"},
        "dependencies": {**needs, **_versions(member.dependencies)},
        "devDependencies": _versions(member.development),
    }


def _versions(names: Sequence[str]) -> Mapping[str, str]:
    return {name: VERSIONS[name] for name in sorted(names)}


def _tsconfig(member: Member, *, frontend: bool) -> Mapping[str, Any]:
    browser = {"jsx": "react-jsx", "module": "ESNext", "moduleResolution": "Bundler", "lib": ["ES2022", "DOM"]}
    return {
        "extends": "../../tsconfig.base.json",
        "compilerOptions": {
            "rootDir": "src",
            "outDir": "build" if frontend else "dist",
            **(browser if frontend else {}),
        },
        "include": ["src"],
        "references": [{"path": f"../../packages/{name}"} for name in member.needs],
    }


def _record(number: int) -> str:
    """A module with the work that a compiler has with schemas: inferred types, and code that uses them."""
    fields = "".join(f"  field{n}: z.string().max({number + n + 1}).optional(),\n" for n in range(number % 5 + 3))
    return f"""\
import {{ z }} from "zod";

export const record{number}Schema = z.object({{
  id: z.string().min({number % 7 + 1}),
  kind: z.enum(["created", "updated", "removed"]),
  at: z.coerce.date(),
{fields}  labels: z.record(z.string()).default({{}}),
}});

export type Record{number} = z.infer<typeof record{number}Schema>;

export function parseRecord{number}(value: unknown): Record{number} {{
  return record{number}Schema.parse(value);
}}

export class Record{number}Store {{
  private readonly records = new Map<string, Record{number}>();

  put(value: unknown): Record{number} {{
    const record = parseRecord{number}(value);
    this.records.set(record.id, record);
    return record;
  }}

  byKind(kind: Record{number}["kind"]): Record{number}[] {{
    return [...this.records.values()].filter((record) => record.kind === kind);
  }}

  labels(): Record<string, number> {{
    const counts: Record<string, number> = {{}};
    for (const {{ labels }} of this.records.values()) {{
      for (const name of Object.keys(labels)) counts[name] = (counts[name] ?? 0) + {number % 9 + 1};
    }}
    return counts;
  }}
}}
"""


def _clients(member: Member) -> str:
    used = [name for name in sorted(member.dependencies) if name in USES]
    libraries = "".join(f'import * as {_word(n)} from "{SCOPE}/{n}";\n' for n in member.needs)
    imports = "".join(f"{USES[name][0]}\n" for name in used)
    entries = "".join(f'  "{name}": () => {USES[name][1]},\n' for name in used)
    entries += "".join(f'  "{n}": () => Object.keys({_word(n)}).length,\n' for n in member.needs)
    return f"{libraries}{imports}\nexport const clients: Record<string, () => unknown> = {{\n{entries}}};\n"


def _word(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(part.capitalize() for part in rest)


def _server(member: Member) -> str:
    plugins = [name for name in sorted(member.dependencies) if name.startswith("@fastify/")]
    imports = "".join(f"{USES[name][0]}\n" for name in plugins)
    registered = "".join(f"await app.register({USES[name][1]});\n" for name in plugins)
    return f"""\
import Fastify from "fastify";
{imports}import {{ clients }} from "./clients.js";
import * as records from "./records/index.js";

const app = Fastify();
{registered}app.get("/healthz", async () => ({{ status: "ok" }}));
app.get("/about", async () => ({{ clients: Object.keys(clients), records: Object.keys(records).length }}));
await app.listen({{ port: Number(process.env.PORT), host: "0.0.0.0" }});
"""


def _worker(name: str) -> str:
    if name == "main":
        return 'import { clients } from "./clients.js";\n\nconsole.log(Object.keys(clients).join(" "));\n'
    return f"""\
import {{ clients }} from "./clients.js";
import * as records from "./records/index.js";

const work = (): void => console.log("{name}: ready", Object.keys(clients).length, Object.keys(records).length);
work();
setInterval(work, 60_000);
"""


_FRONTEND: Mapping[str, str] = {
    "index.html": '<!doctype html>\n<div id="root"></div>\n<script type="module" src="/src/main.tsx"></script>\n',
    "vite.config.js": """\
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({ plugins: [react(), tailwindcss()] });
""",
    "src/main.tsx": """\
import * as schemas from "@fleet/schemas";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Ajv } from "ajv";
import classnames from "classnames";
import { strToU8 } from "fflate";
import { useRef } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter, Link, Route, Routes } from "react-router-dom";

import * as records from "./records/index.js";

const names = Object.keys(records);

function Names() {
  const parent = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: names.length, getScrollElement: () => parent.current, estimateSize: () => 24 });
  return (
    <div ref={parent} className={classnames("names", { many: names.length > 10 })}>
      {rows.getVirtualItems().map((row) => (
        <Link key={row.key} to={`/${names[row.index]}`}>{names[row.index]}</Link>
      ))}
    </div>
  );
}

function About() {
  return <p>{Object.keys(schemas).length} {new Ajv().opts.strict} {strToU8("fleet").length}</p>;
}

createRoot(document.getElementById("root")!).render(
  <BrowserRouter>
    <Routes>
      <Route path="/" element={<Names />} />
      <Route path="/about" element={<About />} />
    </Routes>
  </BrowserRouter>,
);
""",
}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
