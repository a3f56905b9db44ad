"""Where the files of a Dockerfile's image come from in the repository, and what its command is there. Pure."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from bake.evidence.dockerfiles import PACKAGE, Copied, Stage
from bake.evidence.facts import WorkspaceFacts
from bake.shell import parse_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The image of one stage. context: the folder that it is built in. file: the Dockerfile."""

    facts: WorkspaceFacts
    stages: tuple[Stage, ...]
    at: int
    context: str
    file: str

    @property
    def stage(self) -> Stage:
        """The stage whose image it is."""
        return self.stages[self.at]

    @property
    def copied(self) -> tuple[Copied, ...]:
        """What its image is given."""
        return tuple(self._copied(self.at))

    def origin(self, path: str) -> str | None:
        """Where a file or folder of the image lies in the repository, from its root; None when that is not told."""
        return next(self._origins(posixpath.normpath(path), self.at, 12), None)

    def is_copied(self, path: str) -> bool:
        """Whether a file or folder of the image has been copied, or lies in what has: not told by its neighbours."""
        return next(self._sources(posixpath.normpath(path), self.at, 12), None) is not None

    def text(self, path: str) -> str | None:
        """The text of a script in the image, when the repository or the Dockerfile itself has it."""
        if path in self.stage.written:
            return self.stage.written[path]
        found = self.origin(path)
        return self.facts.deployed.get(found) if found is not None else None

    def _origins(self, path: str, at: int, depth: int) -> Iterator[str]:
        """The likeliest first: what exists, then what a package holds, then the rest."""
        found = dict.fromkeys(self._sources(path, at, depth)) if depth else {}
        yield from sorted(found or (dict.fromkeys(self._inferred(path, at, depth)) if depth else {}), key=self._doubt)

    def _doubt(self, path: str) -> int:
        if self.exists(path):
            return 0
        owner = self.facts.owner(path).path
        inside = f"/{path.removeprefix(owner)}/"
        homes = {posixpath.dirname(p.path) for p in self.facts.workspace.packages} - {""}
        # Folders of packages inside of a package: the path was taken for one that begins at that.
        return (3 if any(f"/{home}/" in inside for home in homes) else 1) if owner else 2

    def exists(self, path: str) -> bool:
        """Whether the repository has a file or folder of that path."""
        return path in self.facts.paths or path in self.facts.folders

    def _copied(self, at: int) -> Iterator[Copied]:
        """What a stage copies; what the repository has as a file is one, whatever its name."""
        for copied in self.stages[at].copied:
            source = _joined(self.context, copied.source.lstrip("/"))
            if copied.stage is not None or copied.one or source not in self.facts.paths:
                yield copied
            else:
                name = posixpath.basename(source) if copied.into else ""
                yield replace(copied, one=True, place=posixpath.join(copied.place, name).rstrip("/"))

    def _sources(self, path: str, at: int, depth: int) -> Iterator[str]:
        rows = enumerate(self._copied(at))
        for _, copied in sorted(rows, key=lambda row: (-len(row[1].place), -row[0])):
            rest = _below(path, copied)
            if rest is None:
                continue
            if copied.stage is not None:
                folder, _, pattern = copied.source.rpartition("/") if "*" in copied.source else (copied.source, "", "*")
                if fnmatchcase(rest, pattern) and ("/" not in rest or pattern == "*"):
                    place = posixpath.normpath(posixpath.join("/", folder, rest))
                    yield from self._origins(place, copied.stage, depth - 1)
            elif (source := self._source(copied, rest)) is not None:
                yield source

    def _source(self, copied: Copied, rest: str) -> str | None:
        source = copied.source
        if source.startswith(PACKAGE):
            package = self.facts.workspace.find(source.removeprefix(PACKAGE))
            return _joined(package.path, rest) if package else None
        if "*" in source:
            folder, _, pattern = source.rpartition("/")
            source = folder if fnmatchcase(rest, pattern) else "\0"
        if "\0" in source:
            return None
        # A folder that no clone has, and a whole repository in it: what makes the context has pruned that.
        pruned = not self.exists(_joined(self.context, source.lstrip("/")))
        return rest if pruned and self.facts.owner(rest).path else _joined(self.context, source.lstrip("/"), rest)

    def _inferred(self, path: str, at: int, depth: int) -> Iterator[str]:
        """From what lies in a folder, and from what lies beside a path: of `COPY apps ./apps` the root is known."""
        # The deeper the path that both have, the surer is what they lie in.
        for copied in sorted(self._copied(at), key=lambda each: -each.place.count("/")):
            if copied.place.startswith(f"{path.rstrip('/')}/"):
                rest = copied.place[len(path.rstrip("/")) + 1 :]
                for found in self._sources(copied.place, at, depth):
                    if found == rest or found.endswith(f"/{rest}"):
                        yield found[: -len(rest)].rstrip("/")
            source, home = posixpath.normpath(copied.source.lstrip("/")), copied.place
            while (
                copied.stage is None
                and source not in {"", "."}
                and posixpath.basename(source) == posixpath.basename(home)
            ):
                source, home = posixpath.dirname(source), posixpath.dirname(home)
                if path == home or path.startswith(f"{home.rstrip('/')}/"):
                    yield _joined(self.context, source, path[len(home.rstrip("/")) + 1 :])


def _below(path: str, copied: Copied) -> str | None:
    """The rest of a path in what was copied, None when it is not in there."""
    if path == copied.place:
        return ""
    if copied.one or not path.startswith(f"{copied.place.rstrip('/')}/"):
        return None
    return path[len(copied.place.rstrip("/")) + 1 :]


def _joined(*parts: str) -> str:
    found = posixpath.normpath(posixpath.join("", *parts))
    return "" if found == "." else found


def likely_contexts(facts: WorkspaceFacts, file: str, stages: Sequence[Stage]) -> tuple[str, ...]:
    """Folders that a Dockerfile may be built in, the likeliest first: where most of what it copies exists."""
    folder = posixpath.dirname(file)
    above = tuple(dict.fromkeys(("", facts.owner(file).path, folder, posixpath.dirname(folder))))
    return tuple(sorted(above, key=lambda context: len(absent_in(context, facts, stages))))


def absent_in(context: str, facts: WorkspaceFacts, stages: Sequence[Stage]) -> tuple[str, ...]:
    """What a Dockerfile copies and the folder that it is built in has not got."""
    sources = {
        c.source.lstrip("/").removeprefix("./").rstrip("/")
        for s in stages
        for c in s.copied
        if c.stage is None and not c.source.startswith(PACKAGE) and "*" not in c.source
    } - {".", ""}
    places = {source: _joined(context, source) for source in sources}
    return tuple(s for s, place in places.items() if place not in facts.paths and place not in facts.folders)


HTML = re.compile(
    r"^/(?:usr/share/nginx|var/www|srv|usr/share/caddy|usr/local/apache2/htdocs|site|public|static|html)\b"
)
"""Folders that file servers serve."""


def foreign_folders(contents: Contents) -> Iterator[str]:
    """What an image serves that is built in a package which is none of the workspace's."""
    for copied in contents.copied:
        found = contents.origin(copied.place) if HTML.match(copied.place) and not copied.one else None
        if found and not contents.facts.owner(found).path and is_foreign(contents.facts, found):
            yield found


def served_folders(contents: Contents) -> Iterator[tuple[str, str]]:
    """Where what an image serves is built (package path, folder in it), from what was copied into such folders."""
    for copied in contents.copied:
        if HTML.match(copied.place) and not copied.one and (found := contents.origin(copied.place)):
            package = contents.facts.owner(found)
            if not package.path and is_foreign(contents.facts, found):
                continue
            inside = found.removeprefix(package.path).lstrip("/")
            if inside and not contents.exists(found):
                yield package.path, inside


def is_foreign(facts: WorkspaceFacts, path: str) -> bool:
    """Whether a path that no member holds is of a package that is none of the workspace's."""
    above = posixpath.dirname(path)
    while above:
        if f"{above}/package.json" in facts.paths:
            return True
        above = posixpath.dirname(above)
    return False


def filled(words: Sequence[str], env: Mapping[str, str]) -> tuple[str, ...]:
    """Words with the image's own variables put in where they are parts of paths: others stay for the container."""

    def value(found: re.Match[str]) -> str:
        known = env.get(found[1] or found[2], "")
        return known if known.startswith("/") else found[0]

    return tuple(re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, word) for word in words)


# --- what no script makes ---------------------------------------------------------------------------------------

_OF_INSTALLS = frozenset(
    {".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "package.json", "pnpm-workspace.yaml", "lerna.json"}
)
_TO = frozenset({"-o", "--output", "-O", "--output-document"})


def find_copies(contents: Contents) -> Iterator[tuple[str, str]]:
    """What is taken, a path from the root or a URL, and the path from the root at which the image has it."""
    for at in stages_below(contents.stages, contents.at):
        here = replace(contents, at=at)
        places = [c.place for c in here.copied if c.stage in {None, at} and "*" not in c.source]
        taken = ((here.origin(place) or "", place) for place in places)
        for source, place in (*taken, *_fetched(here.stage)):
            target = _target(here, place)
            known = "://" in source or (contents.exists(source) and bool(source))
            if known and target and not f"{target}/".startswith(f"{source}/") and not contents.exists(target):
                yield source, target


def _target(contents: Contents, place: str) -> str:
    """The path from the root at which a file lies that was put into a folder of the repository, "" for elsewhere."""
    folder, name = posixpath.split(place)
    plain = name not in _OF_INSTALLS and not name.endswith(".sh") and "node_modules" not in place.split("/")
    home = contents.origin(folder) if plain and contents.is_copied(folder) else None
    return posixpath.join(home, name) if home is not None else ""


def _fetched(stage: Stage) -> Iterator[tuple[str, str]]:
    """What `curl` and `wget` load into a file."""
    for run in stage.runs:
        for step in parse_line(run.text):
            url = next((w for w in step.words if w.startswith(("https://", "http://"))), "")
            at = next((n for n, w in enumerate(step.words[:-1]) if w in _TO), 0)
            if step.words[0] in {"curl", "wget"} and url and at:
                yield url, posixpath.normpath(posixpath.join(run.directory, step.words[at + 1]))


def stages_below(stages: Sequence[Stage], at: int) -> tuple[int, ...]:
    """A stage and all that it is built from or copies from."""
    found, pending = {at}, [at]
    while pending:
        stage = stages[pending.pop()]
        further = {stage.base, *(c.stage for c in stage.copied)} - {None, *found}
        found |= {n for n in further if n is not None}
        pending += (n for n in further if n is not None)
    return tuple(sorted(found))
