"""What a build is told and what it gives."""

import dataclasses
from pathlib import Path

from bake.build.account import Account, BuiltImage
from bake.engine import Progress
from bake.publish import Release


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to build.

    builder: None for bake.toml's, else buildx's current one. rebuild: also what is there already, in the engine or in
    the registry. overrides: `target.key=value`, as `--set` of buildx bake. allowed: secrets that may lie outside the
    workspace. Of a push: tag: whether tags move; release: a file for its manifest, besides the one in .bake/;
    sbom: whether each image's bill of materials is attached.
    """

    builder: str | None = None
    cache: bool = True
    pull: bool = False
    rebuild: bool = False
    overrides: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    tag: bool = True
    sbom: bool = False
    release: Path | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a build gave. progress: its steps. release: of a push. before: the push from here before that one."""

    account: Account
    progress: Progress = dataclasses.field(default_factory=Progress)
    release: Release | None = None
    before: Release | None = None

    @property
    def images(self) -> tuple[BuiltImage, ...]:
        """The images that were asked for."""
        return self.account.images
