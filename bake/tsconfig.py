"""What a package's tsconfig.json says about names and places: aliases, and where its output goes."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import dirname, isfile, normpath
from typing import Any, Final

NAMES: Final = ("tsconfig.json", "jsconfig.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class TsConfig:
    """The options that decide where a name leads; every path is absolute and normal.

    paths: (pattern with at most one "*", targets), the one that TypeScript prefers first.
    base_url: where other bare names are tried first, "" when not set.
    outputs: (outDir, rootDir) pairs of the configuration and of those it refers to inside the package.
    keeps_imports: imports of which only types are used stay in the output.
    """

    paths: tuple[tuple[str, tuple[str, ...]], ...] = ()
    base_url: str = ""
    outputs: tuple[tuple[str, str], ...] = ()
    keeps_imports: bool = False


def load_tsconfig(directory: Path, root: Path, packages: Mapping[str, str]) -> TsConfig:
    """Return the options that hold for `directory`: those of the nearest tsconfig.json or jsconfig.json.

    root: where the search upwards ends. packages: name of a workspace package -> its absolute directory, for
    `extends: "@acme/tsconfig/base.json"`. What cannot be read is passed over: the build itself will complain.
    """
    file = _nearest(directory, root)
    if not file:
        return TsConfig()
    options = [_options(file, packages), *_referenced(file, str(directory), packages)]
    paths = [alias for option in options for alias in _aliases(option)]
    return TsConfig(
        paths=tuple(sorted(paths, key=lambda alias: (-_weight(alias[0]), alias[0]))),
        base_url=next((option["baseUrl"] for option in options if option.get("baseUrl")), ""),
        outputs=tuple(
            (option["outDir"], option.get("rootDir", "")) for option in options if option.get("outDir")
        ),
        keeps_imports=any(_keeps_imports(option) for option in options),
    )


_TOKEN = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.S)
_COMMA = re.compile(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', re.S)


def parse_jsonc(text: str) -> Any:
    """Parse JSON with comments and trailing commas, as TypeScript reads its files. Raises ValueError."""
    plain = _TOKEN.sub(lambda match: match[1] or " ", text.removeprefix("\ufeff"))
    return json.loads(_COMMA.sub(lambda match: match[1] or "", plain))


def _nearest(directory: Path, root: Path) -> str:
    for parent in (directory, *directory.parents):
        found = next((str(parent / name) for name in NAMES if (parent / name).is_file()), "")
        if found or parent == root:
            return found
    return ""


def _read(file: str) -> Mapping[str, Any]:
    try:
        content = parse_jsonc(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _options(file: str, packages: Mapping[str, str]) -> dict[str, Any]:
    options = _inherited(file, packages, frozenset())
    here = dirname(file)
    return {key: _placed(value, here) for key, value in options.items()}


def _placed(value: Any, here: str) -> Any:
    """Put the directory of the outermost configuration in for `${configDir}` (TypeScript 5.5)."""
    if isinstance(value, str):
        return normpath(value.replace("${configDir}", here)) if "${configDir}" in value else value
    if isinstance(value, dict):
        return {key: [_placed(one, here) for one in many] for key, many in value.items()}
    return value


def _inherited(file: str, packages: Mapping[str, str], seen: frozenset[str]) -> dict[str, Any]:
    if file in seen:
        return {}
    content, here, options = _read(file), dirname(file), {}
    extends = content.get("extends", [])
    for base in extends if isinstance(extends, list) else [extends]:
        found = _extended(base, here, packages) if isinstance(base, str) else ""
        options.update(_inherited(found, packages, seen | {file}) if found else {})
    own = content.get("compilerOptions", {})
    options.update(_absolute(own, here, options.get("baseUrl", "")) if isinstance(own, dict) else {})
    return options


def _absolute(own: Mapping[str, Any], here: str, inherited: str) -> dict[str, Any]:
    """Make the paths among a file's own options absolute: relative to that file, `paths` to baseUrl."""
    options = dict(own)
    for key in ("baseUrl", "outDir", "rootDir"):
        if isinstance(own.get(key), str):
            options[key] = _join(here, own[key])
    base = options.get("baseUrl") or inherited or here
    paths = own.get("paths")
    if isinstance(paths, dict):
        options["paths"] = {
            pattern: [_join(base, target) for target in targets if isinstance(target, str)]
            for pattern, targets in paths.items()
            if isinstance(targets, list)
        }
    return options


def _join(base: str, path: str) -> str:
    return (
        path if path.startswith("${configDir}") else normpath(f"{base}/{path}" if path[:1] != "/" else path)
    )


def _extended(base: str, here: str, packages: Mapping[str, str]) -> str:
    """Return the file that `extends` names, "" when it is not there (a package that is not installed)."""
    if base.startswith((".", "/")):
        return _json_file(_join(here, base))
    name = "/".join(base.split("/")[: 2 if base.startswith("@") else 1])
    inside = base[len(name) + 1 :] or "tsconfig.json"
    if name in packages:
        return _json_file(f"{packages[name]}/{inside}")
    parents = [here, *map(str, Path(here).parents)]
    return next(
        filter(None, (_json_file(f"{parent}/node_modules/{name}/{inside}") for parent in parents)), ""
    )


def _json_file(path: str) -> str:
    candidates = (path, f"{path}.json", f"{path}/tsconfig.json")
    return next((file for file in candidates if isfile(file)), "")


def _referenced(file: str, directory: str, packages: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the options of `references` inside the package: a file that only refers is common (Vite)."""
    here = dirname(file)
    references = _read(file).get("references", [])
    for reference in references if isinstance(references, list) else []:
        path = reference.get("path") if isinstance(reference, dict) else None
        found = _json_file(_join(here, path)) if isinstance(path, str) else ""
        if found and dirname(found) == directory == here and found != file:
            yield _options(found, packages)


def _aliases(options: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for pattern, targets in options.get("paths", {}).items():
        yield pattern, tuple(targets)


def _weight(pattern: str) -> int:
    """Rank a pattern: a plain name before every pattern, then the longest part before the "*"."""
    return len(pattern.partition("*")[0]) if "*" in pattern else 1_000_000


def _keeps_imports(options: Mapping[str, Any]) -> bool:
    return (
        bool(options.get("verbatimModuleSyntax") or options.get("preserveValueImports"))
        or options.get("importsNotUsedAsValues") in {"preserve", "error"}
        or bool(options.get("emitDecoratorMetadata"))  # annotations become values
    )
