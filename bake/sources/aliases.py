"""Names in imports that are no packages, because a bundler, a loader or Node itself is told to find files by them."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from os.path import normpath
from pathlib import Path

from bake.files import is_below
from bake.sources.files import load_sources
from bake.workspace import Package, Workspace


class Aliases:
    """Which names something gives another meaning in one package. node_path: values of $NODE_PATH as it runs."""

    def __init__(self, workspace: Workspace, package: Package, node_path: Iterable[str] = ()) -> None:
        self._workspace, self._package = workspace, package
        self._home, self._root = Path(workspace.root, package.path), workspace.root
        self._node_path = tuple(node_path)

    def __contains__(self, name: object) -> bool:
        plain = str(name)
        return self._is_configured(plain) or self._is_loaded(plain) or self._lies_beside(plain)

    def _is_configured(self, name: str) -> bool:
        """As a key, or behind `find:`; below the name ("next/link") or exactly ("react$", /^react/) too."""
        for each in {name, name.partition("/")[0] if name.startswith("@") else name}:
            text = re.escape(each)
            keys = [rf"""(?:\bfind:\s*)?["'/]\^?{text}(?:[/$\\][^"'\n]*)?["'/]\s*[:,]"""]
            keys += [rf"(?m)(?:^|[{{,])\s*{text}\s*:\s*(?![\s\d])"] if re.fullmatch(r"[A-Za-z_]\w*", each) else []
            if any(re.search(key, told) for told in self._told for key in keys):
                return True
            if any(re.search(rf"--alias:{text}=", script) for script in self._package.scripts.values()):
                return True
        return False

    def _is_loaded(self, name: str) -> bool:
        return any(name == alias or name.startswith(f"{alias.rstrip('/')}/") for alias in self._loaded)

    def _lies_beside(self, name: str) -> bool:
        places = (home / name for home in self._searched)
        return any(is_below(self._root, p) and (p.is_dir() or any(p.parent.glob(f"{p.name}.*"))) for p in places)

    @cached_property
    def _told(self) -> tuple[str, ...]:
        """What configuration files of bundlers and compilers say from the word alias on."""
        return tuple(text[text.index("alias") :] for text in self._configurations if "alias" in text)

    @cached_property
    def _configurations(self) -> tuple[str, ...]:
        files = [f for pattern in _CONFIGURED for f in sorted(self._home.glob(pattern))]
        files += [f for pattern in _OF_ALL for f in sorted(Path(self._root).glob(pattern))]
        own = (f for f in dict.fromkeys(files) if f.is_file() and is_below(self._root, f))
        texts = (f.read_text(encoding="utf-8", errors="replace") for f in own)
        return (*texts, str(self._package.manifest.get("babel", "")), str(self._package.manifest.get("alias", "")))

    @cached_property
    def _loaded(self) -> frozenset[str]:
        """Names that module-alias takes for paths, as package.json or code tells it. Source: its readme."""
        table = self._package.manifest.get("_moduleAliases")
        return frozenset(table if isinstance(table, dict) else ()) | frozenset(self._in_code())

    def _in_code(self) -> Iterator[str]:
        for _, text in self._code("module-alias"):
            for call in re.finditer(r"\baddAlias(es)?\s*\(([^;]*)", text):
                yield from re.findall(r"""['"]([^'"]+)['"]\s*:""" if call[1] else r"""^\s*['"]([^'"]+)['"]""", call[2])

    def _code(self, loader: str) -> Iterator[tuple[Path, str]]:
        """The sources of a package that depends on a loader: their folders and their texts."""
        if loader not in self._package.dependencies:
            return
        directory = normpath(f"{self._root}/{self._package.path}")
        nested = frozenset(f"{self._root}/{path}" for path in self._workspace.inside(self._package.path))
        for file in load_sources(directory, nested, str(self._root)):
            path = Path(directory, file)
            yield path.parent, path.read_text(encoding="utf-8", errors="replace")

    @cached_property
    def _searched(self) -> tuple[Path, ...]:
        """Folders whose files are imported by their names alone; what is compiled into one lies in src.

        Source: nodejs.org/api/modules.html, webpack.js.org/configuration/resolve, the readmes of the loaders.
        """
        own = re.findall(r"\bNODE_PATH=[\"']?([^\s\"']+)", "\n".join(self._package.scripts.values()))
        folders = [p for value in (*self._node_path, *own) for p in value.split(":") if p]
        found = [Path(self._root, p[5:]) if p.startswith("/app/") else self._home / p for p in folders]
        found += [self._home / "src"] if folders else []
        lists = [(self._home, m) for text in self._configurations for m in _SEARCHED.findall(text)]
        code = self._code("app-module-path")
        lists += [(folder, m) for folder, text in code for m in re.findall(r"\baddPath\(([^;\n]*)\)", text)]
        rows = ((folder, re.findall(r"""['"]/?([^'"]*)['"]""", text) or [""]) for folder, text in lists)
        return (*found, *(folder / p for folder, names in rows for p in names if p != "node_modules"))


_CONFIGURED = (
    *("*.config.*", ".babelrc*", "webpack*.*js", "webpack/*.*js", "config/webpack*.*js", "build.*js", "esbuild*.*js"),
    *("scripts/build*.*js", "scripts/esbuild*.*js"),
)
_OF_ALL = ("babel.config.*", ".babelrc*")
_SEARCHED = re.compile(r"""["']?\b(?:modules|root|modulePaths)["']?\s*:\s*\[([^\]]*)\]""")
