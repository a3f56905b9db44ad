"""Digests in a deployment's files: what stands there, and the same text with those of a push. Pure.

Only the digits change: comments, order and quotes stay as somebody wrote them. Three forms are known: a reference
anywhere (`image: host/name@sha256:…`), kustomize's `images`, and tables with `repository` and `digest`, as Helm's
values have them.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bake.errors import BakeError
from bake.publish.kubernetes import not_yaml
from bake.publish.release import Release, ReleasedImage

if TYPE_CHECKING:
    import yaml

_REFERENCE = re.compile(r"(?P<name>[^\s@]+?)(?::[\w.-]+)?@(?P<digest>sha256:[0-9a-f]{64})")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A digest in a text. image: the target that it is of. line: from 1 on."""

    image: str
    digest: str
    start: int
    line: int


def find_digests(text: str, file: str, release: Release) -> tuple[Spot, ...]:
    """Where the push's images stand by digest, in the text's order. Raises BakeError for what is no YAML."""
    import yaml

    try:
        nodes = [n for n in yaml.compose_all(text, Loader=yaml.SafeLoader) if n is not None]
    except (yaml.YAMLError, ValueError) as error:
        raise not_yaml(error, text, file) from None
    found = {s.start: s for node in nodes for s in _spots(node, text, release, set())}
    return tuple(found[start] for start in sorted(found))


def replace_digests(text: str, spots: Iterable[Spot], release: Release) -> str:
    """The text with the push's digests in these places."""
    digests = {i.image: i.digest for i in release.images}
    for spot in sorted(spots, key=lambda s: -s.start):
        text = text[: spot.start] + digests[spot.image] + text[spot.start + len(spot.digest) :]
    return text


def _spots(node: "yaml.Node", text: str, release: Release, above: set[int]) -> Iterator[Spot]:
    """above: ids of nodes that have been seen: an alias leads back to its anchor."""
    import yaml

    if id(node) in above:
        return
    above.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if (found := _REFERENCE.fullmatch(node.value)) and (image := _named(found["name"], release)):
            yield from _spot(node, text, image)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _spots(child, text, release, above)
    elif isinstance(node, yaml.MappingNode):
        yield from _of_table(node, text, release)
        for _, child in node.value:
            yield from _spots(child, text, release, above)


def _of_table(node: "yaml.MappingNode", text: str, release: Release) -> Iterator[Spot]:
    """The digest of a table that names the image by another key."""
    import yaml

    scalars = {k.value: v for k, v in node.value if isinstance(k, yaml.ScalarNode) and isinstance(v, yaml.ScalarNode)}
    digest = scalars.get("digest")
    if digest is None or not _DIGEST.fullmatch(digest.value):
        return
    for name in _names({key: scalar.value for key, scalar in scalars.items()}):
        if image := _named(name, release):
            yield from _spot(digest, text, image)
            return


def _names(table: Mapping[str, str]) -> Sequence[str]:
    """What the table may call its image, the surest first."""
    registry = table.get("registry", "")
    repository = table.get("repository", "")
    whole = f"{registry}/{repository}" if registry and repository else ""
    return [n for n in (whole, repository, table.get("newName", ""), table.get("name", "")) if n]


def _named(name: str, release: Release) -> ReleasedImage | None:
    """The image of a repository; kustomize and Helm may leave the registry to somebody else."""
    return next((i for i in release.images if name in (i.repository, i.repository.rpartition("/")[2])), None)


def _spot(node: "yaml.ScalarNode", text: str, image: ReleasedImage) -> Iterator[Spot]:
    """The place of the digits; none where quotes or folds make the text another one than the value."""
    written = text[node.start_mark.index : node.end_mark.index]
    if found := _DIGEST.search(written):
        start = node.start_mark.index + found.start()
        yield Spot(image=image.image, digest=found[0], start=start, line=text.count("\n", 0, start) + 1)


def deployed_digests(texts: Mapping[str, str], release: Release) -> tuple[Mapping[str, str], tuple[BakeError, ...]]:
    """Image -> the digest that files use, the last of several; and what is wrong with files that are left out."""
    found: dict[str, str] = {}
    wrong: list[BakeError] = []
    for file, text in texts.items():
        try:
            found |= {s.image: s.digest for s in find_digests(text, file, release)}
        except BakeError as error:
            wrong.append(error)
    return found, tuple(wrong)
