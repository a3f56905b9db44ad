"""What one push put into a registry: its manifest, as JSON or TOML, for promote, rollback, merge and deployments."""

import dataclasses
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import tomli_w

from bake.config import Complaints, Rule, read
from bake.errors import ReleaseError
from bake.files import write_file

FILE_NAME = "release.json"
"""Its name below .bake/, where every push leaves it."""

UNFINISHED = "release-unfinished.json"
"""Its name when a push left tags that could be neither moved nor put back: those only."""

FORMAT = 1

Digest = Annotated[str, Rule(words="sha256:… with 64 hex digits", pattern=r"sha256:[0-9a-f]{64}")]
DigestOrNone = Annotated[str, Rule(words="sha256:… with 64 hex digits, or empty", pattern=r"(sha256:[0-9a-f]{64})?")]
Tag = Annotated[str, Rule(words="a tag", pattern=r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")]
Repository = Annotated[
    str,
    Rule(words="a repository with its host", pattern=r"[A-Za-z0-9.\[\]:-]+(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedPlatform:
    """One platform of an image. bytes: compressed, as registries store it, base layers included."""

    platform: str
    digest: Digest
    bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedImage:
    """One image in its registry.

    image: its target. repository: host and path. digest: the index, or the manifest where there is one platform.
    tags: those that point to the digest. previous: tag -> the digest it had before this push, "" when it had none.
    bytes: compressed, a blob that platforms share counted once.
    """

    image: str
    repository: Repository
    digest: Digest
    platforms: tuple[ReleasedPlatform, ...]
    bytes: int
    tags: tuple[Tag, ...] = ()
    previous: Mapping[Tag, DigestOrNone] = dataclasses.field(default_factory=dict)

    @property
    def reference(self) -> str:
        """`repository@digest`: always this image, whatever becomes of tags."""
        return f"{self.repository}@{self.digest}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Every image of one push. created: the commit's time in seconds since 1970. mirrors: the same images elsewhere."""

    project: str
    revision: str = ""
    branch: str = ""
    version: str = ""
    source: str = ""
    created: int | None = None
    images: tuple[ReleasedImage, ...] = ()
    mirrors: tuple[ReleasedImage, ...] = ()
    format: int = FORMAT

    @property
    def everywhere(self) -> tuple[ReleasedImage, ...]:
        """The images in all registries."""
        return (*self.images, *self.mirrors)

    @property
    def digests(self) -> frozenset[str]:
        """The digests of its images, and those that their tags had before: `bake rollback` puts them back."""
        return frozenset(d for i in self.everywhere for d in (i.digest, *i.previous.values()) if d)

    @property
    def parts(self) -> tuple[tuple[str, str, str], ...]:
        """Target, platform and the manifest of that by digest, of all images in all registries."""
        return tuple(
            (image.image, part.platform, f"{image.repository}@{part.digest}")
            for image in self.everywhere
            for part in image.platforms
        )

    def image(self, target: str) -> ReleasedImage | None:
        """The image of that target, None when this push had none."""
        return next((i for i in self.images if i.image == target), None)


def render_release(release: Release, *, suffix: str = ".json") -> str:
    """The manifest as text: TOML for the suffix `.toml`, JSON for `.json`. Raises ReleaseError for another."""
    return _form_of(suffix)[1](_release_table(release))


def check_form(file: Path | None) -> None:
    """Before a push is made: raise ReleaseError when the name of the file for its manifest tells no form."""
    if file is not None:
        _form_of(file.suffix)


def write_release(file: Path, release: Release) -> None:
    """Leave the manifest in the file, as JSON or TOML by its suffix. Raises ReleaseError."""
    text = render_release(release, suffix=file.suffix)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file.parent.resolve(), file.name, text.encode())
    except OSError as error:
        raise ReleaseError(str(file), f"cannot be written ({error.strerror})", "name another file") from None


def keep_release(folder: Path, release: Release, name: str = FILE_NAME) -> None:
    """Leave the manifest in bake's own folder. Raises OSError."""
    write_file(folder, name, render_release(release, suffix=PurePosixPath(name).suffix).encode())


def load_release(file: Path) -> Release:
    """Read a manifest. Raises ReleaseError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise ReleaseError(str(file), f"cannot be read ({said})", "name a manifest that a push wrote") from None
    return parse_release(text, name=str(file))


def load_push(file: Path) -> Release:
    """Read a manifest that has images. Raises ReleaseError."""
    release = load_release(file)
    if not release.images:
        raise ReleaseError(str(file), "has no image", "name the manifest of a push")
    return release


def parse_release(text: str, *, name: str = FILE_NAME) -> Release:
    """Read a manifest; its form follows the name's suffix. Raises ReleaseError with every complaint."""
    parse = _form_of(PurePosixPath(name).suffix)[0]
    try:
        document = parse(text)
    except ValueError as error:
        raise ReleaseError(name, f"cannot be read ({error})", "name a manifest that a push wrote") from None
    complaints = Complaints()
    release = read(Release, document, "", complaints) if isinstance(document, dict) else None
    if complaints or release is None:
        first = complaints[0] if complaints else "no table"
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        raise ReleaseError(name, f"is no manifest of a push: {first}{more}", "name one that a push wrote")
    if release.format != FORMAT:
        raise ReleaseError(name, f"has format {release.format}, not {FORMAT}", "use the bake that wrote it")
    return release


Form = tuple[Callable[[str], Any], Callable[[dict[str, Any]], str]]


def _form_of(suffix: str) -> Form:
    forms: Mapping[str, Form] = {".json": (json.loads, _to_json), ".toml": (tomllib.loads, tomli_w.dumps)}
    if suffix not in forms:
        raise ReleaseError(suffix or "the manifest", "is no form of a manifest", "end its name in .json or .toml")
    return forms[suffix]


def _to_json(table: dict[str, Any]) -> str:
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def _release_table(release: Release) -> dict[str, Any]:
    """Without what is not known: TOML has no null."""
    table = dataclasses.asdict(release)
    images = {key: _tuples_to_lists(table.pop(key)) for key in ("images", "mirrors")}
    known = {k: v for k, v in table.items() if v not in ("", None)}
    return known | {key: listed for key, listed in images.items() if listed or key == "images"}


def _tuples_to_lists(value: Any) -> Any:
    """Tuples as lists, for TOML and JSON read them back as lists."""
    if isinstance(value, (list, tuple)):
        return [_tuples_to_lists(v) for v in value]
    return {k: _tuples_to_lists(v) for k, v in value.items()} if isinstance(value, dict) else value
