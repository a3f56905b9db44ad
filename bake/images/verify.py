"""Whether every image holds the same compiled files, and the old all-in-one image none that they lack. Pure."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

Files = Mapping[str, str]
"""Path from the workspace's root -> sha256 of the file; "-> target" for a symbolic link."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The files of packages that one image has. name: as reports show it. packages: what it should hold."""

    name: str
    packages: tuple[str, ...]
    files: Files


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileFinding:
    """One path that is not the same everywhere.

    missing: `images` lack it, and others of the same package have it. differing: `images` have another content than
    the others. lost: the old image has it and none of the new. gained: the new have it and the old does not.
    """

    kind: Literal["missing", "differing", "lost", "gained"]
    package: str
    path: str
    images: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One package. files: paths that any image has. identical: those with one content in every image."""

    package: str
    images: int
    files: int
    identical: int
    findings: tuple[FileFinding, ...]

    def count(self, kind: str) -> int:
        """How many findings are of that kind."""
        return sum(f.kind == kind for f in self.findings)


def compare_trees(
    fleet: Iterable[Content], old: Content | None, keeps: Mapping[str, Callable[[str], bool]]
) -> tuple[Tally, ...]:
    """Compare package by package.

    keeps: package -> whether an image would have a file of the old image's folder (a path relative to the package);
    its sources and tests are no loss.
    """
    images = tuple(fleet)
    packages = sorted({p for image in images for p in image.packages})
    return tuple(_tally_package(package, images, old, keeps.get(package, lambda _path: True)) for package in packages)


def _tally_package(
    package: str, images: tuple[Content, ...], old: Content | None, keeps: Callable[[str], bool]
) -> Tally:
    new = {i.name: part(i.files, package, i.packages) for i in images if package in i.packages}
    before = {p: d for p, d in part(old.files, package, old.packages).items() if keeps(p)} if old else {}
    # A package that the old image does not hold at all is compared among the new ones only.
    compared = {**new, old.name: before} if old and before else new
    paths = sorted({path for files in compared.values() for path in files})
    findings = [f for path in paths if (f := _file_finding(package, path, new, before, old.name if old else ""))]
    good = sum(f.kind == "gained" for f in findings)
    return Tally(
        package=package,
        images=len(new),
        files=len(paths),
        identical=len(paths) - len(findings) + good,
        findings=tuple(findings),
    )


def _file_finding(package: str, path: str, new: Mapping[str, Files], before: Files, old: str) -> FileFinding | None:
    having = {name: files[path] for name, files in new.items() if path in files}
    full = f"{package}/{path}" if package else path
    if not having:
        return FileFinding(kind="lost", package=package, path=full, images=(old,))
    contents = having | ({old: before[path]} if path in before else {})
    if len(set(contents.values())) > 1:
        return FileFinding(kind="differing", package=package, path=full, images=_odd_images(contents, old))
    if lacking := tuple(name for name in new if name not in having):
        return FileFinding(kind="missing", package=package, path=full, images=lacking)
    if before and path not in before:
        return FileFinding(kind="gained", package=package, path=full, images=tuple(having))
    return None


def _odd_images(contents: Mapping[str, str], old: str) -> tuple[str, ...]:
    """The images whose content is not the most frequent one; at a tie the old image's content is the right one."""
    counts: dict[str, int] = {}
    for digest in contents.values():
        counts[digest] = counts.get(digest, 0) + 1
    usual = max(counts, key=lambda digest: (counts[digest], digest == contents.get(old), digest))
    return tuple(name for name, digest in contents.items() if digest != usual)


def part(files: Files, package: str, packages: Iterable[str] = ()) -> Files:
    """The files of one package, by their path in it; those of other packages in its folder are not its own."""
    head = f"{package}/" if package else ""
    others = tuple(f"{p}/" for p in packages if p != package and p.startswith(head))
    own = ((path, digest) for path, digest in files.items() if path.startswith(head) and not path.startswith(others))
    return {path.removeprefix(head): digest for path, digest in own}
