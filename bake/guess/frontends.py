"""What a package's web framework builds: files to serve, or a server. Pure; told by dependencies and configuration."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from posixpath import normpath
from typing import Any, Final

from bake.evidence import PackageFacts
from bake.lockfile import steps
from bake.workspace import parse_jsonc


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """static: the folder of files to serve, or command: the server that the framework builds.

    also: other commands that start that server. env: what it needs to listen for others than itself.
    files: what of the package its server needs, None for the usual. exclude: what of that it does not need.
    writable: folders it writes to.
    """

    tool: str
    source: str
    static: str = ""
    prefix: str = ""
    """The path that its files are built for, "" for the top."""
    command: tuple[str, ...] = ()
    also: tuple[tuple[str, ...], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    port: int = 0
    files: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    standalone: str = ""
    """The folder that it builds a complete server into, and nothing makes that depend on anything."""
    complete: tuple[str, ...] = ()
    """What starts that one, where it is another command."""

    def starts_by(self, words: tuple[str, ...]) -> bool:
        """Whether a command starts its server."""
        return bool(words) and tuple(w.removeprefix("./") for w in words) in {self.command, *self.also}


_Maker = Callable[[PackageFacts, Mapping[str, str]], Frontend | None]


def find_frontend(
    facts: PackageFacts, root_texts: Mapping[str, str] | None = None, shared: Collection[str] = ()
) -> Frontend | None:
    """The frontend that a package builds, None when it builds none.

    shared: what the root declares; of it a package has the tools that its scripts call.
    """
    declared = {**facts.package.dependencies, **facts.package.dev_dependencies}
    called = {*re.findall(r"[\w-]+", _scripts(facts))}
    for name, make in _TOOLS:
        has = name in declared or (name in shared and name.rpartition("/")[2] in called)
        if has and (found := make(facts, root_texts or {})):
            base = _find_base(name, facts) or found.prefix if found.static else ""
            return replace(found, prefix=base)
    return None


def _config(facts: PackageFacts, stem: str) -> tuple[str, str]:
    """The text and name of a tool's configuration file; comments are cut out."""
    for name, text in sorted(facts.texts.items()):
        if name.startswith((f"{stem}.config.", f"{stem}.js", f"{stem}.ts", f"{stem}.mjs")):
            return re.sub(r"^\s*//[^\n]*|/\*.*?\*/", "", text, flags=re.M | re.S), facts.package.file(name)
    return "", ""


def _scripts(facts: PackageFacts) -> str:
    return "\n".join(facts.package.scripts.values())


def _manifest(facts: PackageFacts) -> str:
    return facts.package.file("package.json")


def _named(text: str, key: str) -> str:
    found = re.search(rf"\b{key}\s*:\s*['\"`]([^'\"`]+)['\"`]", text)
    return found[1].removeprefix("./").rstrip("/") if found else ""


def _next(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
    if "next build" not in _scripts(facts) and "next start" not in _scripts(facts):
        return None
    text, file = _config(facts, "next")
    source, folder = file or _manifest(facts), _named(text, "distDir")
    build = " ".join(facts.package.scripts.get(n, "") for n in ("build", "postbuild"))
    if _named(text, "output") == "export" or "next export" in build:
        return Frontend(tool="Next.js export", source=source, static=folder or "out")
    folder = folder or ".next"
    # The usual selection drops TypeScript, and next.config.ts with it, which `next start` reads.
    shown = ("public/**",) if "public" in facts.names else ()
    server = Frontend(
        tool="Next.js",
        source=source,
        command=("next", "start"),
        port=3000,
        files=(f"{folder}/**", *shown, "next.config.*") if file.endswith("ts") else None,
        # A copy of the server with packages of its own; `next start` takes the image's.
        exclude=(f"{folder}/standalone/**",) if re.search(r"\boutput\s*:[^,}]*['\"]standalone['\"]", text) else (),
        writable=(f"{folder}/cache",),
    )
    complete = re.search(rf"(?:^|[\s/]){re.escape(folder)}/standalone/(?:[\w.-]+/)*server\.js\b", _scripts(facts))
    always = complete or re.search(r"\boutput\s*:\s*['\"]standalone['\"]", text)
    return replace(server, **_standalone(facts, f"{folder}/standalone")) if always else server


def _standalone(facts: PackageFacts, folder: str) -> dict[str, Any]:
    servers = dict.fromkeys(("server.js", facts.package.file("server.js")))
    return {
        "also": tuple(("node", f"{folder}/{server}") for server in servers),
        # Docker gives HOSTNAME the container's id, and the server would listen there alone.
        "env": (("HOSTNAME", "0.0.0.0"),),  # noqa: S104 - a container's own
        "exclude": (f"{folder}/**",),
        "standalone": folder,
        "complete": ("node", "server.js"),
    }


RENDERS = re.compile(r"\bvite build\b.*\s--ssr\b")
"""What builds pages that a server of one's own renders; Vite's template starts it by the script `preview`."""


def _vite(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
    text, file = _config(facts, "vite")
    if "vite build" not in _scripts(facts) or re.search(r"\blib\s*:\s*\{", text):
        return None
    if RENDERS.search(_scripts(facts)):
        return None
    root = _named(text, "root")
    if "index.html" not in facts.names and not root:
        return None
    folder = _vite_folder(text)
    if folder.startswith("../"):
        return None  # another package serves it, see find_built_into
    return Frontend(tool="Vite", source=file or _manifest(facts), static=folder)


_RESOLVED = re.compile(
    r"\boutDir\s*:\s*(?:\w+\.)?(?:resolve|join)\(\s*(?:__dirname|import\.meta\.dirname)\s*,\s*(['\"`][^()]*['\"`])\s*\)"
)


def _vite_folder(text: str) -> str:
    """The folder that it builds into, by its configuration."""
    if found := _RESOLVED.search(text):
        return normpath("/".join(re.findall(r"['\"`]([^'\"`]*)['\"`]", found[1])))
    return normpath(f"{_named(text, 'root') or '.'}/{_named(text, 'outDir') or 'dist'}")


def find_built_into(facts: PackageFacts) -> tuple[str, str]:
    """The folder of another package that a frontend is built into, from the root, and the file that says so."""
    text, file = _config(facts, "vite")
    folder = _vite_folder(text) if "vite build" in _scripts(facts) else ""
    if not folder.startswith("../"):
        folder, file = _written_by_scripts(facts), _manifest(facts)
    place = normpath(facts.package.file(folder))
    return (place, file) if folder.startswith("../") and not place.startswith("..") else ("", "")


_OUTWARD = r"[\"']?((?:\.\./)+[\w@.-]+(?:/[\w@.-]+)*)/?[\"']?"
_WRITTEN = (
    re.compile(rf"\s(?:--out-?[dD]ir|--outfile|--output-path|--dist-dir|-o|-d)[= ]{_OUTWARD}"),
    re.compile(rf"^(?:npx\s+|shx\s+)*(?:cp|cpy|cpx|ncp|copyfiles|mv)\s(?:.*\s)?{_OUTWARD}$"),
    re.compile(rf"\b(?:BUILD_PATH|OUT_?DIR|OUTPUT_DIR)={_OUTWARD}"),
)


def _written_by_scripts(facts: PackageFacts) -> str:
    """The place outside of the package that its build is told to write to."""
    scripts = facts.package.scripts
    texts = [text for name in ("prebuild", "build", "postbuild") for text in steps(scripts, name)]
    found = (match[1] for text in texts for pattern in _WRITTEN if (match := pattern.search(text)))
    return next(found, "")


def _cra(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
    built = re.search(r"(?:react-scripts|craco|react-app-rewired)(?: -\S+)* build", _scripts(facts))
    base = _to_prefix(str(facts.package.manifest.get("homepage", "")))
    return Frontend(tool="Create React App", source=_manifest(facts), static="build", prefix=base) if built else None


def _angular(facts: PackageFacts, root: Mapping[str, str]) -> Frontend | None:
    text = facts.texts.get("angular.json") or root.get("angular.json", "")
    try:
        projects = parse_jsonc(text).get("projects", {}) if text else {}
    except (ValueError, AttributeError):
        return None
    for name, project in projects.items():
        build = _path(project, "architect", "build") or _path(project, "targets", "build")
        if project.get("projectType") == "application" and build:
            return _angular_output(facts, str(name), build)
    return None


def _angular_output(facts: PackageFacts, name: str, build: Mapping[str, Any]) -> Frontend:
    """The application builder puts what browsers load into a folder `browser`.

    Source: angular.dev/tools/cli/build-system-migration.
    """
    given = _path(build, "options", "outputPath") or f"dist/{name}"
    base = given if isinstance(given, str) else str(given.get("base", f"dist/{name}"))
    browser = "browser" if isinstance(given, str) else str(given.get("browser", "browser"))
    new = str(build.get("builder", "")).endswith(":application")
    folder = (f"{base}/{browser}".rstrip("/") if new else base).removeprefix("./")
    source = facts.package.file("angular.json")
    return Frontend(tool="Angular", source=source, static=folder, prefix=_angular_base(build, facts))


def _path(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _astro(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
    text, file = _config(facts, "astro")
    folder = _named(text, "outDir") or "dist"
    if "@astrojs/node" in facts.package.dependencies:
        if _named(text, "mode") == "middleware":
            return None  # for a server of one's own
        env = (("HOST", "0.0.0.0"),)  # noqa: S104 - a container's own; without it the server listens on localhost
        return Frontend(tool="Astro", source=file, command=("node", f"{folder}/server/entry.mjs"), env=env, port=4321)
    return Frontend(tool="Astro", source=file or _manifest(facts), static=folder)


def _svelte(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
    text, file = _config(facts, "svelte")
    declared = {**facts.package.dependencies, **facts.package.dev_dependencies}
    if "@sveltejs/adapter-static" in declared:
        return Frontend(tool="SvelteKit static", source=file, static=_named(text, "pages") or "build")
    if "@sveltejs/adapter-node" in declared:
        folder = _named(text, "out") or "build"
        also = (("node", f"{folder}/index.js"),)
        return Frontend(
            tool="SvelteKit", source=file or _manifest(facts), command=("node", folder), also=also, port=3000
        )
    return None


def _nuxt(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
    if "generate" in facts.package.scripts.get("build", ""):
        return Frontend(tool="Nuxt", source=_manifest(facts), static=".output/public")
    return _nitro("Nuxt", facts, "nuxt")


def _served_by_nitro(tool: str) -> _Maker:
    def make(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
        return _nitro(tool, facts, "app", "vite", "nitro")

    return make


_NITRO_SERVERS = frozenset({"", "node-server", "node_server", "node", "node-cluster", "node_cluster"})
_NITRO_STARTS = (("nuxt", "start"), ("nuxt", "preview"), ("nuxi", "preview"), ("vinxi", "start"))


def _nitro(tool: str, facts: PackageFacts, *configs: str) -> Frontend | None:
    """A complete server of Nitro's, or its files; None where its preset is for somebody else's servers.

    Source: nitro.build/deploy.
    """
    texts = [*(_config(facts, stem)[0] for stem in configs), facts.package.scripts.get("build", "")]
    found = (re.search(r"\bpreset\s*:\s*['\"]([\w-]+)|(?:\bNITRO_PRESET=|\s--preset[= ])([\w-]+)", t) for t in texts)
    preset = next((m[1] or m[2] for m in found if m), "")
    if preset in {"static", "github-pages", "github_pages"}:
        return Frontend(tool=tool, source=_manifest(facts), static=".output/public")
    if preset not in _NITRO_SERVERS:
        return None
    return Frontend(
        tool=tool,
        source=_manifest(facts),
        command=("node", ".output/server/index.mjs"),
        also=_NITRO_STARTS,
        port=3000,
        standalone=".output",
    )


def _router(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
    text, file = _config(facts, "react-router")
    if re.search(r"\bssr\s*:\s*false", text):
        return Frontend(tool="React Router", source=file, static="build/client")
    served = {"@react-router/serve": "react-router-serve", "@remix-run/serve": "remix-serve"}
    server = next((program for name, program in served.items() if name in facts.package.dependencies), "")
    if not server:
        return None
    command = (server, "build/server/index.js")
    return Frontend(tool="React Router", source=file or _manifest(facts), command=command, port=3000)


_PAGES = frozenset({"html-webpack-plugin", "@rspack/plugin-html", "html-bundler-webpack-plugin", "@rsbuild/core"})
_BUNDLING = re.compile(r"\b(?:webpack(?:-cli)?|rspack|rsbuild)\b(?!\s+(?:serve|dev))")


def _bundled(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
    """What webpack and its kin build is for browsers when they write a page for it."""
    declared = {**facts.package.dependencies, **facts.package.dev_dependencies}
    tool = _BUNDLING.search(facts.package.scripts.get("build", ""))
    if tool is None or not _PAGES & {*declared}:
        return None
    found = (
        re.search(r"\b(?:path|outputPath)\s*:\s*[^\n]*?['\"`](?:\.{1,2}/)*([\w.-]+)/?['\"`]", t)
        for t in facts.texts.values()
    )
    return Frontend(tool=tool[0], source=_manifest(facts), static=next((m[1] for m in found if m), "dist"))


def _plain(tool: str, folder: str, script: str) -> _Maker:
    def make(facts: PackageFacts, _root: Mapping[str, str]) -> Frontend | None:
        found = script in facts.package.scripts.get("build", "")
        return Frontend(tool=tool, source=_manifest(facts), static=folder) if found else None

    return make


_TOOLS: tuple[tuple[str, _Maker], ...] = (
    ("next", _next),
    ("nuxt", _nuxt),
    ("astro", _astro),
    ("@sveltejs/kit", _svelte),
    ("vinxi", _served_by_nitro("Vinxi")),
    ("nitropack", _served_by_nitro("Nitro")),
    ("nitro", _served_by_nitro("Nitro")),
    ("@react-router/dev", _router),
    ("@remix-run/dev", _router),
    ("@angular/core", _angular),
    ("react-scripts", _cra),
    ("react-app-rewired", _cra),
    ("@craco/craco", _cra),
    ("@vue/cli-service", _plain("Vue CLI", "dist", "vue-cli-service build")),
    ("gatsby", _plain("Gatsby", "public", "gatsby build")),
    ("parcel", _plain("Parcel", "dist", "parcel build")),
    ("vite", _vite),
    ("webpack", _bundled),
    ("@rspack/cli", _bundled),
    ("@rsbuild/core", _bundled),
)


# --- the path that pages are built for -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """Where a tool is told the path.

    key: of its configuration. options: of its build's command, or variables before that, as an expression.
    asked: what the build's command has to say for the key to count.
    """

    stem: str = ""
    key: str = ""
    options: str = ""
    asked: str = ""


_BASES: Final[Mapping[str, _Base]] = {
    "next": _Base(stem="next", key="basePath"),
    "astro": _Base(stem="astro", key="base", options="--base"),
    "@sveltejs/kit": _Base(stem="svelte", key="base"),
    "@angular/core": _Base(options="--base-href"),
    "react-scripts": _Base(options="PUBLIC_URL"),
    "react-app-rewired": _Base(options="PUBLIC_URL"),
    "@craco/craco": _Base(options="PUBLIC_URL"),
    "@vue/cli-service": _Base(stem="vue", key="publicPath"),
    "gatsby": _Base(stem="gatsby-config", key="pathPrefix", asked="--prefix-paths"),
    "parcel": _Base(options="--public-url"),
    "vite": _Base(stem="vite", key="base", options="--base"),
    "webpack": _Base(stem="webpack", key="publicPath", options="--output-public-path"),
    "@rspack/cli": _Base(stem="rspack", key="publicPath", options="--output-public-path"),
    "@rsbuild/core": _Base(stem="rsbuild", key="base", options="--base"),
}
"""By the package that a tool is known by. Nuxt is not there: it builds into a folder of that path itself."""


def _find_base(tool: str, facts: PackageFacts) -> str:
    """The path that a package's pages are built for, "" for the top; the command says more than the configuration."""
    base = _BASES.get(tool, _Base())
    built = "\n".join(
        text for name in ("prebuild", "build", "postbuild") for text in steps(facts.package.scripts, name)
    )
    told = re.search(rf"(?<![\w-]){base.options}[=\s]+(\S+)", built) if base.options else None
    if told:
        return _to_prefix(told[1])
    if variable := _variable(base.options, facts):
        return _to_prefix(variable)
    counts = base.key and (not base.asked or base.asked in built)
    return _to_prefix(_chosen_text(_config(facts, base.stem)[0], base.key)) if counts else ""


def _variable(name: str, facts: PackageFacts) -> str:
    """What a file of variables for production says, which such tools read by themselves."""
    files = (facts.texts.get(file, "") for file in (".env.production", ".env")) if name.isupper() else ()
    found = (re.search(rf"^{name}=(\S+)", text, re.M) for text in files)
    return next((m[1] for m in found if m), "")


_TEXT: Final = r"['\"`]([^'\"`\n]*)['\"`]"


def _chosen_text(text: str, key: str) -> str:
    """The text that a key has; of two that a condition chooses from, the one for production, as far as that is told."""
    value = rf"(?:(?P<asks>[^?:,{{}}]*)\?\s*{_TEXT}\s*:\s*{_TEXT}|{_TEXT})"
    found = re.search(rf"\b{key}\s*:\s*{value}", text)
    if found is None:
        return ""
    if found["asks"] is None:
        return found[4]
    return found[2] if _holds(found["asks"]) else found[3]


def _holds(condition: str) -> bool:
    """Whether a condition holds when a build for production runs."""
    developing = re.search(r"dev|serve|test|local", condition, re.I)
    return bool(developing) == bool(re.search(r"!==?|(?:^|[\s(])!\w", condition))


def _to_prefix(base: str) -> str:
    """The path of a base, which may be a whole URL; "" for the top, for relative ones and for what is computed."""
    found = re.fullmatch(r"(?:https?://[\w.:-]+)?((?:/[\w.~%+-]+)+)/?", base.strip("'\""))
    return f"{found[1]}/" if found else ""


def _angular_base(build: Mapping[str, Any], facts: PackageFacts) -> str:
    """What the configuration of Angular's build that its script names, or the usual one, has as `baseHref`."""
    named = re.search(
        r"\bng build\b[^&|;\n]*\s(?:--configuration|-c)[=\s]+([\w,-]+)", facts.package.scripts.get("build", "")
    )
    chosen = named[1].split(",") if named else [str(build.get("defaultConfiguration") or "")]
    configurations = build.get("configurations")
    known = configurations if isinstance(configurations, dict) else {}
    rows = (build.get("options"), *(known.get(name) for name in chosen))
    found = [str(row["baseHref"]) for row in rows if isinstance(row, dict) and row.get("baseHref")]
    return _to_prefix(found[-1]) if found else ""
