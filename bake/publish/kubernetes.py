"""Kubernetes' side of a push: its images by digest for kustomize, Helm and shells; manifests checked against it. Pure.

Source of the forms: kubectl.docs.kubernetes.io (kustomization `images`, components), kubernetes.io (pod templates,
node affinity, the label kubernetes.io/arch).
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bake.config import Reference, parse_reference, suggestion
from bake.errors import BakeError
from bake.files import table, to_yaml
from bake.publish.release import Release, ReleasedImage

Form = Literal["kustomize", "helm", "env", "json"]

_POD_LISTS = ("containers", "initContainers", "ephemeralContainers")
_ARCHITECTURE = frozenset({"kubernetes.io/arch", "beta.kubernetes.io/arch"})


def render_manifest(release: Release, form: Form) -> str:
    """Every image of the push as `repository@digest`, in the form that a deployment tool reads."""
    images = sorted(release.images, key=lambda i: i.image)
    if form == "kustomize":
        return _kustomize(images)
    if form == "helm":
        values = {i.image: {"repository": i.repository, "digest": i.digest} for i in images}
        return to_yaml({"images": values})
    if form == "env":
        return "".join(f"{_variable(release.project, i.image)}={i.reference}\n" for i in images)
    known = {i.image: {"reference": i.reference, "platforms": [p.platform for p in i.platforms]} for i in images}
    return json.dumps(known, indent=2) + "\n"


def _kustomize(images: Iterable[ReleasedImage]) -> str:
    """A component, which an overlay adds to its `components` whatever bases it has."""
    listed = [{"name": _short(i), "newName": i.repository, "digest": i.digest} for i in images]
    return to_yaml({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "images": listed})


def _variable(project: str, image: str) -> str:
    name = re.sub(r"[^A-Z0-9]", "_", f"{project}_{image}_image".upper())
    return f"_{name}" if name[0].isdigit() else name  # no shell takes a variable that begins with a digit


def _short(image: ReleasedImage) -> str:
    """The name that manifests use before a registry is known: `<project>-<target>`."""
    return image.repository.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document of a file."""

    file: str
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`file: Deployment/name`."""
        metadata = self.content.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, Mapping) else ""
        return f"{self.file}: {self.content.get('kind', 'document')}/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """What a manifest asks for that the push does not have."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")


def join_releases(releases: Sequence[Release]) -> Release:
    """Several pushes as one: each image as the last of them has it."""
    images = {i.image: i for r in releases for i in r.images}
    return dataclasses.replace(releases[-1], images=tuple(images.values()))


def parse_documents(text: str, file: str) -> tuple[Document, ...]:
    """The mappings in a YAML file; those in a `List` singly. Raises BakeError with the line for no YAML."""
    import yaml

    try:
        found = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    # A date that is in no calendar is a ValueError.
    except (yaml.YAMLError, ValueError) as error:
        raise not_yaml(error, text, file) from None
    items = [i for d in found if isinstance(d, dict) for i in (d["items"] if isinstance(d.get("items"), list) else [d])]
    return tuple(Document(file=file, content=i) for i in items if isinstance(i, dict))


def not_yaml(error: Exception, text: str, file: str) -> BakeError:
    """The error for a file that PyYAML does not take, with the line."""
    mark = getattr(error, "problem_mark", None)
    where = f"{file}:{mark.line + 1}" if mark else file
    return BakeError(where, "is not YAML", "check what `helm template` gives" if "{{" in text else "correct it")


def check_manifests(documents: Iterable[Document], release: Release) -> tuple[Mismatch, ...]:
    """Uses of the project's images that the push does not have, and architectures that they were not built for."""
    found: list[Mismatch] = []
    for document in documents:
        found += _check_transformer(document, release)
        for pod in _pods(document.content):
            found += _check_pod(document, pod, release)
    return tuple(dict.fromkeys(found))


def used_images(documents: Iterable[Document], release: Release) -> int:
    """How many containers use images of the push."""
    return sum(
        isinstance(_find(str(c.get("image", "")), release), ReleasedImage)
        for d in documents
        for pod in _pods(d.content)
        for c in _containers(pod)
    )


def _pods(value: Any, above: frozenset[int] = frozenset()) -> Iterator[Mapping[str, Any]]:
    """Every pod specification, however deep: in templates, in CronJobs' job templates, in custom resources.

    above: what it lies in, by id: an alias of YAML can lead back there.
    """
    if id(value) in above:
        return
    if isinstance(value, Mapping) and isinstance(value.get("containers"), list):
        yield value
        return
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for each in children:
        yield from _pods(each, above | {id(value)})


def _containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in _POD_LISTS:
        yield from _tables(pod, key)


def _check_pod(document: Document, pod: Mapping[str, Any], release: Release) -> Iterator[Mismatch]:
    wanted = tuple(dict.fromkeys(_architectures(pod)))
    for container in _containers(pod):
        where = f"{document.name}: container {container.get('name', '?')}"
        image = _find(str(container.get("image", "")), release)
        if isinstance(image, str):
            yield Mismatch(where=where, what=image, remedy=_remedy(str(container.get("image", "")), release))
        elif image is not None:
            yield from _check_architectures(where, image, wanted)


def _check_architectures(where: str, image: ReleasedImage, wanted: Sequence[str]) -> Iterator[Mismatch]:
    built = {p.platform.split("/")[1] for p in image.platforms if p.platform.startswith("linux/")}
    for architecture in wanted:
        if architecture not in built:
            what = f"may run on {architecture}, and {_short(image)} was built for {', '.join(sorted(built))}"
            yield Mismatch(where=where, what=what, remedy=f"build it with --platform linux/{architecture} too")


def _architectures(pod: Mapping[str, Any]) -> Iterator[str]:
    """The architectures that the pod may be put on, as far as it says so."""
    for key, value in table(pod, "nodeSelector").items():
        if key in _ARCHITECTURE:
            yield str(value)
    required = table(table(table(pod, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution")
    for term in _tables(required, "nodeSelectorTerms"):
        for expression in _tables(term, "matchExpressions"):
            if expression.get("key") in _ARCHITECTURE and expression.get("operator") == "In":
                yield from map(str, expression.get("values") or ())


def _tables(value: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """The mappings in a list; nothing for another thing, which other tools may have there."""
    listed = value.get(key)
    yield from (each for each in listed if isinstance(each, Mapping)) if isinstance(listed, list) else ()


def _find(text: str, release: Release) -> ReleasedImage | str | None:
    """The image of the push that a container names; what is wrong with the name; None for another project's."""
    try:
        reference = parse_reference(text)
    except BakeError:
        ours = re.split("[:@]", text.rpartition("/")[2])[0].startswith(f"{release.project}-")
        return f"{text} is no image reference" if ours else None
    image = next((i for i in release.images if reference.name == i.repository or _is_bare(text, i)), None)
    if image is None:
        return f"{text} is not in this push" if _is_ours(text, reference, release) else None
    if reference.digest:
        digests = (image.digest, *(p.digest for p in image.platforms))
        return image if reference.digest in digests else f"{text} is not the digest of this push ({image.digest[:19]})"
    if "/" in text and reference.tag not in image.tags:
        return f"{text} is no tag of this push"
    return image


def _is_bare(text: str, image: ReleasedImage) -> bool:
    """Whether it is the image without a registry, with any tag: a kustomization replaces that."""
    return "/" not in text and re.split("[:@]", text)[0] == _short(image)


def _is_ours(text: str, reference: Reference, release: Release) -> bool:
    """Whether it is named as the project's images are: in one of its places, or without any."""
    places = {i.repository.rpartition("/")[0] for i in release.images}
    name = reference.repository.rpartition("/")[2]
    place = reference.name.rpartition("/")[0]
    return name.startswith(f"{release.project}-") and ("/" not in text or place in places)


def _remedy(text: str, release: Release) -> str:
    own = {_short(i): i for i in release.images}
    name = re.split(r"[:@]", text.rpartition("/")[2])[0]
    if name in own:
        return f"use {own[name].reference}"
    # The common prefix would make every name look alike.
    prefix = f"{release.project}-"
    nearest = suggestion(name.removeprefix(prefix), [n.removeprefix(prefix) for n in own])
    return nearest.replace("`", f"`{prefix}", 1) or "build and push it, or take it out"


def _check_transformer(document: Document, release: Release) -> Iterator[Mismatch]:
    """`images` of a kustomization: what they put in place of names."""
    for each in _tables(document.content, "images"):
        if "name" not in each:
            continue
        name = str(each.get("newName") or each.get("name") or "")
        mark = f"@{each['digest']}" if each.get("digest") else f":{each['newTag']}" if each.get("newTag") else ""
        found = _find(f"{name}{mark}", release)
        if isinstance(found, str):
            yield Mismatch(where=document.name, what=found, remedy=_remedy(name, release))
