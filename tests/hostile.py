"""Workspaces of strangers, made by chance from a seed: hostile names, texts, paths and links in every place.

`made(seed, root)` writes one; `tried(root)` runs bake on it as a user would, in this process, and tells what was wrong:
a traceback, a long wait, something touched outside. `scripts/fuzz` tries thousands, the tests some hundred.
"""

import contextlib
import io
import json
import os
import random
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bake.cli import main
from bake.config import config_schema

LONGEST = 5.0
"""Seconds that any command may take."""

COMMANDS = (("list",), ("check",), ("print",), ("all", "--dry-run"))

STATUSES = frozenset({0, 1, 2, 3})

_WORDS: tuple[str, ...] = (
    *("", " ", "x", ".", "..", "../victim", "../../../../etc/passwd", "/etc/passwd", "link", "link/id_rsa"),
    *("packages/lib", "it's", '"', "`id`", "$(id)", "${HOME}", "{{ 1 }}", "%{ if }", "a;b", "a b", "a\nb"),
    *("a\r::set-output::", "\x1b[31m", "::add-mask::x", "##[error]", "{a", "{a,b}" * 20, "**/" * 40 + "*"),
    *("*" * 40, "[z-a]", "[", "a/**b/*", "!", "#", "\\", "é猫", "\u202e", "\ufeff", "\u2028", "a" * 9_000),
    *("0", "-1", "1" * 400, "null", "__proto__", "node_modules/../..", "a.key", "workspace:*", "npm:x@1"),
    *("link:../victim", "file:../victim", "git+ssh://x", "1.0.0 || ", "^", ">=1 <", "catalog:"),
    *("node x.js", "node 'x", "tsc && node --import tsx x.ts", "npm run build", "sh -c '"),
    *("patch-package --patch-dir /", "https://user:token@host/x", "linux/amd64", "node:24", "[::1]:5000/x"),
    *("a@sha256:b", "{sha}", "{nothing}", "{", "api"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, [], {}, [[]], [None], {"": None}, {"a": {}}, ["x", 1]),
)
_BYTES: tuple[bytes, ...] = (
    *(b"\xff", b"\x00", b"\xef\xbb\xbf", b"[" * 3_000, b"{" * 3_000, b'"', b"\\ud800", b"9" * 5_000),
    *(b"<<<<<<<", b"&a [*a]"),
)
_FOLDERS: tuple[str, ...] = (
    *("lib", "l'ib", 'l"ib', "l$b", "l[b]", "l*b", "l?b", "l{{b", "l\\b", "lib ", " lib", "l b", "l.key"),
    *("-lib", "lé", "l#b", "!lib", "l,b", "l:b", "l\nb", "l;b", "l&b", "l(b)", "l%b", "l@b", "@l", "l" * 200),
)


def made(seed: int, root: Path) -> str:
    """Write a workspace into an empty folder `w` of `root`, beside a `victim`; gives what is odd about it."""
    chance = random.Random(seed)
    files = dict(_BASES[seed % len(_BASES)]())
    odd = chance.choice((_odd_config, _odd_json, _odd_json, _odd_bytes, _odd_text, _odd_names, _odd_links))
    told = odd(chance, files)
    links = {name: files.pop(name) for name in tuple(files) if isinstance(files[name], Path)}
    for name, content in {"victim/package.json": b'{"name": "victim"}', "victim/id_rsa": b"secret"}.items():
        _write(root / name, content)
    for name, content in files.items():
        with contextlib.suppress(OSError, ValueError):  # a name that no file system takes, or one in the way
            _write(root / "w" / name, content if isinstance(content, bytes) else _text(name, content))
    for name, target in links.items():
        (root / "w" / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            (root / "w" / name).symlink_to(target)
    return f"{odd.__name__.removeprefix('_')}: {told}"


def tried(root: Path) -> list[str]:
    """What is wrong with bake's answers about a workspace that `made` wrote."""
    before = _seen(root / "victim")
    found = []
    with contextlib.chdir(root / "w"), _watched(root) as touched:
        for words in COMMANDS:
            found += [f"{' '.join(words)}: {what}" for what in _run(words)]
    found += [f"touched {path}" for path in sorted(touched)]
    if _seen(root / "victim") != before:
        found.append("the victim is another")
    return found


def _run(words: tuple[str, ...]) -> Iterator[str]:
    out, err = io.StringIO(), io.StringIO()
    began = time.monotonic()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(words)
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:  # noqa: BLE001 - that is what is looked for
        yield "\n".join(traceback.format_exc().splitlines()[-7:])
        return
    if (taken := time.monotonic() - began) > LONGEST:
        yield f"took {taken:.1f} s"
    if status not in STATUSES:
        yield f"status {status}: {err.getvalue()[-300:]}"
    if status and not re.search(r"^bake: error: \S.*: .+", err.getvalue(), re.M):
        yield f"status {status} without a line that says where and what: {err.getvalue()[-300:]!r}"
    if "\x1b" in out.getvalue() + err.getvalue():
        yield "an escape sequence"


# ---- what is watched

_watching: list[Callable[[str], None]] = []
_FILES = {"open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.utime"}


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in _FILES and isinstance(arguments[0], (str, bytes, os.PathLike)):
        _watching[-1](os.fsdecode(arguments[0]))


sys.addaudithook(_hook)


@contextlib.contextmanager
def _watched(root: Path) -> Iterator[set[str]]:
    """Collect the files in the victim that are looked into, and whatever is around it of the root's."""
    touched: set[str] = set()
    victim = os.path.realpath(root / "victim")

    def note(path: str) -> None:
        if "/" not in path:  # from the descriptor of a folder, and through no link
            return
        real = os.path.realpath(path)
        if real == victim or real.startswith(f"{victim}/"):
            touched.add(path)

    _watching.append(note)
    try:
        yield touched
    finally:
        _watching.pop()


def _seen(folder: Path) -> Mapping[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---- workspaces to start from

_API = {"name": "@w/api", "version": "1.0.0", "scripts": {"build": "tsc", "start": "node dist/x.js"}}
_LIB = {"name": "@w/lib", "version": "1.0.0", "scripts": {"build": "tsc"}, "bin": {"lib": "x.js"}}
_CONFIG = """\
[project]
name = "w"
registry = "ghcr.io/acme"
[services.api]
package = "packages/api"
[services.api.roles.web]
port = 80
[services.api.roles.worker]
command = ["node", "dist/w.js"]
[packages."packages/lib"]
files = ["dist/**"]
[secrets.npmrc]
env = "NPMRC"
required = false
"""
Files = dict[str, Any]


def _common(dependency: str) -> Files:
    return {
        "bake.toml": _CONFIG.encode(),
        "package.json": {"name": "w", "version": "1.0.0", "private": True, "workspaces": ["packages/*"]},
        "packages/api/package.json": {**_API, "dependencies": {"@w/lib": dependency, "ms": "^2.0.0"}},
        "packages/lib/package.json": {**_LIB},
        "packages/api/src/x.ts": b'import "ms";\nimport { a } from "@w/lib";\n',
        "packages/lib/src/x.ts": b"export const a = 1;\n",
        "packages/api/tsconfig.json": {"extends": "../../tsconfig.base.json", "references": [{"path": "../lib"}]},
        "packages/lib/tsconfig.json": {"compilerOptions": {"outDir": "dist", "paths": {"~/*": ["src/*"]}}},
        "tsconfig.base.json": {"compilerOptions": {"strict": True}},
        ".npmrc": b"registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=secret\n",
        ".gitignore": b"dist\nnode_modules\n.env*\n",
        "link": Path("../victim"),
    }


def _npm() -> Files:
    files = _common("*")
    entries = {
        "": files["package.json"],
        "packages/api": files["packages/api/package.json"],
        "packages/lib": files["packages/lib/package.json"],
        "node_modules/@w/api": {"resolved": "packages/api", "link": True},
        "node_modules/@w/lib": {"resolved": "packages/lib", "link": True},
        "node_modules/ms": {
            "version": "2.1.3",
            "resolved": "https://r/ms.tgz",
            "integrity": "sha512-x",
            "os": ["linux"],
        },
    }
    return {**files, "package-lock.json": {"name": "w", "lockfileVersion": 3, "packages": entries}}


def _pnpm() -> Files:
    files = _common("workspace:*")
    lock = """\
lockfileVersion: '9.0'
importers:
  .: {}
  packages/api:
    dependencies:
      '@w/lib': {specifier: workspace:*, version: link:../lib}
      ms: {specifier: ^2.0.0, version: 2.1.3}
  packages/lib: {}
packages:
  ms@2.1.3:
    resolution: {integrity: sha512-x}
    peerDependencies: {x: '*'}
    peerDependenciesMeta: {x: {optional: true}}
snapshots:
  ms@2.1.3: {}
"""
    settings = "packages: ['packages/*']\npatchedDependencies: {ms: patches/ms.patch}\nonlyBuiltDependencies: [ms]\n"
    return {**files, "pnpm-lock.yaml": lock.encode(), "pnpm-workspace.yaml": settings.encode()}


def _berry() -> Files:
    files = _common("workspace:*")
    files["package.json"]["packageManager"] = "yarn@4.5.0"
    lock = """\
__metadata:
  version: 8

"@w/api@workspace:packages/api":
  version: 0.0.0-use.local
  resolution: "@w/api@workspace:packages/api"
  dependencies:
    "@w/lib": "workspace:*"
    ms: "npm:^2.0.0"

"@w/lib@workspace:*, @w/lib@workspace:packages/lib":
  version: 0.0.0-use.local
  resolution: "@w/lib@workspace:packages/lib"

"ms@npm:^2.0.0":
  version: 2.1.3
  resolution: "ms@npm:2.1.3"
  conditions: os=linux & cpu=x64
"""
    settings = b"nodeLinker: node-modules\nyarnPath: .yarn/releases/yarn.cjs\nplugins: [{path: .yarn/plugins/x.cjs}]\n"
    release = {".yarn/releases/yarn.cjs": b"//", ".yarn/plugins/x.cjs": b"//"}
    return {**files, **release, "yarn.lock": lock.encode(), ".yarnrc.yml": settings}


def _classic() -> Files:
    files = _common("*")
    lock = (
        '# yarn lockfile v1\n\n\nms@^2.0.0:\n  version "2.1.3"\n  resolved "https://r/ms.tgz#x"\n  integrity sha512-x\n'
    )
    return {**files, "yarn.lock": lock.encode(), ".yarnrc": b'yarn-path ".yarn/releases/yarn.js"\n'}


_BASES: tuple[Callable[[], Files], ...] = (_npm, _pnpm, _berry, _classic)


# ---- what may be odd about one


def _odd_config(chance: random.Random, files: Files) -> str:
    """A key of bake.toml, of any in its schema, with any value."""
    path, schema = _key(chance)
    value = _toml(chance, schema)
    table = ".".join(f'"{_toml_text(part)}"' for part in path[:-1])
    line = f"{f'[{table}]' if table else ''}\n{json.dumps(path[-1])} = {value}\n"
    base = (
        re.sub(rf"^{re.escape(path[-1])} = .*\n", "", _CONFIG, flags=re.M)
        if table in {"project", "services.api"}
        else _CONFIG
    )
    header = f"[{'.'.join(path[:-1])}]\n"
    text = base.replace(header, header + line.split("\n", 1)[1], 1) if header in base else f"{base}{line}"
    files["bake.toml"] = text.encode("utf-8", "replace")
    return line[:300]


def _key(chance: random.Random) -> tuple[list[str], Mapping[str, Any]]:
    schema = config_schema()
    node: Mapping[str, Any] = schema
    path: list[str] = []
    while True:
        node = _resolved(chance, schema, node)
        inner = node.get("properties")
        if inner:
            path.append(chance.choice(sorted(inner)))
            node = inner[path[-1]]
        elif isinstance(node.get("additionalProperties"), dict):
            known = {"services": "api", "packages": "packages/lib", "secrets": "npmrc"}.get(path[-1], "x")
            path.append(known if chance.random() < 0.6 else chance.choice(_WORDS))
            node = node["additionalProperties"]
        else:
            return path, node


def _resolved(chance: random.Random, schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in node or "anyOf" in node:
        defined = schema["$defs"].get(node.get("$ref", "").rpartition("/")[2])
        node = defined or chance.choice(node["anyOf"])
    return node


def _toml(chance: random.Random, schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if chance.random() < 0.2:
        return chance.choice(("true", "-1", "1.5", "[]", "{}", "[1]", "9" * 30, "1979-05-27", '"x"', "nan", "[[]]"))
    if "enum" in schema:
        return json.dumps(chance.choice(schema["enum"]))
    if kind == "array":
        return f"[{', '.join(_toml(chance, schema.get('items', {})) for _ in range(chance.randint(0, 3)))}]"
    if kind in {"integer", "number"}:
        return str(chance.choice((0, 1, 80, 65_536, -5)))
    if kind == "boolean":
        return chance.choice(("true", "false"))
    return f'"{_toml_text(chance.choice(_WORDS))}"'


def _toml_text(text: str) -> str:
    return json.dumps(text)[1:-1].replace("\x7f", "")


def _odd_json(chance: random.Random, files: Files) -> str:
    """A value in a JSON file, of any of its places."""
    name = chance.choice(sorted(n for n, c in files.items() if isinstance(c, dict)))
    files[name] = json.loads(json.dumps(files[name]))
    places = list(_places(files[name]))
    holder, key = chance.choice(places)
    given = chance.choice((*_WORDS, *_VALUES))
    if isinstance(holder, dict) and chance.random() < 0.3:
        holder[chance.choice(_WORDS)] = holder[key]
    else:
        holder[key] = given
    return f"{name}: {key!r}: {given!r}"[:300]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def _odd_bytes(chance: random.Random, files: Files) -> str:
    """Bytes in a file that are not there usually, or a file that ends early."""
    name = chance.choice(sorted(n for n, c in files.items() if not isinstance(c, Path)))
    data = files[name] if isinstance(files[name], bytes) else _text(name, files[name])
    place, more = chance.randint(0, len(data)), chance.choice(_BYTES)
    files[name] = data[:place] if chance.random() < 0.2 else data[:place] + more + data[place + chance.randint(0, 3) :]
    return f"{name}: {more[:20]!r} at {place}"


def _odd_text(chance: random.Random, files: Files) -> str:
    """Another word in the place of one in a text file: lockfiles of pnpm and yarn, settings, ignored files."""
    name = chance.choice(sorted(n for n, c in files.items() if isinstance(c, bytes)))
    words = list(re.finditer(rb"[\w@./^*:-]+", files[name]))
    word, given = chance.choice(words), chance.choice(_WORDS)
    files[name] = files[name][: word.start()] + given.encode() + files[name][word.end() :]
    return f"{name}: {given!r} for {word[0]!r}"[:300]


def _odd_names(chance: random.Random, files: Files) -> str:
    """A package in a folder of another name, by all who name it."""
    folder = chance.choice(_FOLDERS)
    for name in [n for n in files if n.startswith("packages/lib/")]:
        files[name.replace("packages/lib/", f"packages/{folder}/", 1)] = files.pop(name)
    for name, content in files.items():
        if isinstance(content, dict):
            files[name] = json.loads(
                json.dumps(content).replace("packages/lib", json.dumps(f"packages/{folder}")[1:-1])
            )
        elif isinstance(content, bytes) and name.endswith((".lock", ".yaml")):
            files[name] = content.replace(b"lib", folder.encode())
    return repr(folder)[:80]


def _odd_links(chance: random.Random, files: Files) -> str:
    """A link where a file or folder is looked for."""
    places = (
        ".bake",
        ".bake/plan",
        ".bake/manifests",
        ".bake/cache",
        ".bake/Dockerfile",
        ".bake/.gitignore",
        ".bake-templates",
    )
    more = (
        "packages/evil",
        "packages/api/src",
        "packages/lib",
        ".yarn",
        "patches",
        "packages/api/src/y.ts",
        "bake.lock",
    )
    name = chance.choice((*places, *more, *sorted(files)))
    target = chance.choice(("../victim", "../victim/id_rsa", "/etc/passwd", ".", "..", "packages", "nowhere", name))
    for inner in [n for n in files if n == name or n.startswith(f"{name}/")]:
        del files[inner]
    depth = name.count("/")
    files[name] = Path("../" * depth + target if not target.startswith("/") else target)
    if name == "bake.toml":
        files["bake.toml"] = _CONFIG.encode()
    return f"{name} -> {target}"


def _text(name: str, content: Any) -> bytes:
    return json.dumps(content, indent=None if name.startswith("packages/lib") else 2).encode()


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
