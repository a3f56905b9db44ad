"""Images that the engine has already, just as a build would make them: BuildKit need not be asked about these.

What builds made of what is kept in `.bake/history.json`: the hash of everything that decides an image, and the id that
the engine has it under. Both are facts that stay true, so an image is up to date when its hash is known and all its
names still lead to that id. Whatever this cannot tell goes to BuildKit.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bake.config import parse_reference
from bake.engine import Built, Kept, kept_images, mirrors
from bake.errors import EngineError
from bake.files import read_chapter, write_chapter
from bake.inputs import Inputs, digest
from bake.plan import Dockered, Name, Names, Plan, ServiceImage
from bake.project import Project
from bake.registry import engine_digests

_CHAPTER = "made"

_FORMAT = 1
_MOST = 1000
"""Images that the file remembers, the latest; those of branches that come back are among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a build made. id: as the engine names it. digest: of its index or manifest."""

    id: str
    digest: str
    platforms: tuple[str, ...]


Memory = Mapping[str, Made]
"""Key of an image -> what was made of it."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known before a build.

    plan, names: as asked for. inputs: of each target, empty where nobody can tell what is up to date. made:
    target -> what an earlier build made of the same. asked: name -> what the engine has under it, as far as it matters.
    """

    plan: Plan
    names: Names
    inputs: Mapping[str, Inputs] = field(default_factory=dict)
    made: Mapping[str, Made] = field(default_factory=dict)
    asked: Callable[[], Mapping[str, Kept]] = dict

    @property
    def changed(self) -> tuple[str, ...]:
        """The targets that no earlier build has made just so."""
        return tuple(t for t in self.plan.targets if t not in self.made)

    @cached_property
    def current(self) -> Mapping[str, Kept]:
        """Target -> its image, of those that are up to date: all their names still lead to what was made."""
        names = {t: self.names[t].references for t in self.made}
        kept = self.asked() if self.made else {}
        return {
            t: kept[names[t][0]]
            for t, made in self.made.items()
            if all(name in kept and kept[name].id == made.id for name in names[t])
        }

    @property
    def gone(self) -> tuple[str, ...]:
        """The targets that were made just so, and that the engine does not have any more."""
        return tuple(t for t in self.made if t not in self.current)


def load_standing(
    project: Project,
    plan: Plan,
    names: Names,
    inputs: Callable[[], Mapping[str, Inputs]],
    environment: Mapping[str, str],
    *,
    force: bool = False,
) -> Standing:
    """What earlier builds have made already. force: nothing counts as made.

    Templates of the workspace's own may read what no hash follows: nothing is up to date with them.
    """
    if project.ejected:
        return Standing(plan=plan, names=names)
    memory = load_memory(project.folder)
    if force or not memory:
        return Standing(plan=plan, names=names, inputs=inputs())
    asked = ask_engine(names.values())
    with ThreadPoolExecutor(1) as pool:
        resolving = pool.submit(resolve_bases, _all_unpinned(plan), environment)
        keys = image_keys(project, plan, names, inputs(), resolving.result())
    made = {t: memory[key] for t, key in keys.items() if key in memory}
    return Standing(plan=plan, names=names, inputs=inputs(), made=made, asked=asked)


def ask_engine(names: Iterable[Name]) -> Callable[[], Mapping[str, Kept]]:
    """Ask the engine for images, which takes a while; gives what waits for its answer."""
    pool = ThreadPoolExecutor(1)
    asking = pool.submit(_kept, [reference for name in names for reference in name.references])
    pool.shutdown(wait=False)
    return asking.result


def _kept(names: Sequence[str]) -> Mapping[str, Kept]:
    """What the engine has; nothing where it does not answer: the build then says so."""
    with suppress(EngineError):
        return kept_images(names)
    return {}


def unpinned_bases(plan: Plan, image: ServiceImage) -> Sequence[str] | None:
    """The base images that an image is made from, as far as no digest pins them; None where nobody can tell them."""
    if isinstance(image, Dockered):
        return image.bases
    service = next(s for s in plan.services if s.service == image.service)
    own = plan.base_of(service)
    runtime = own.parents.values() if own else (service.base,)
    return sorted({b for b in (plan.builds.base, *runtime) if "@" not in b})


def _all_unpinned(plan: Plan) -> Sequence[str]:
    return sorted({base for image in plan.processes for base in unpinned_bases(plan, image) or ()})


def resolve_bases(names: Sequence[str], environment: Mapping[str, str]) -> Mapping[str, str]:
    """Base image -> the digest of its tag now; without those that do not answer at once."""
    return engine_digests(environment, mirrors(), names) if names else {}


def image_keys(
    project: Project, plan: Plan, names: Names, inputs: Mapping[str, Inputs], bases: Mapping[str, str]
) -> Mapping[str, str]:
    """Target -> hash of all that decides its image, names and labels too, of the images that the plan selects.

    bases: base image -> digest, of those that no digest pins; targets whose base is not there get no key.
    """
    attested = project.config.attestations
    found = {}
    for image in plan.chosen():
        unpinned = unpinned_bases(plan, image)
        used = [(n, bases.get(n)) for n in unpinned or ()]
        if unpinned is not None and image.target in inputs and all(resolved for _, resolved in used):
            found[image.target] = digest(
                [inputs[image.target].content, image, names[image.target], plan.platforms, attested, used]
            )
    return found


def learn(
    project: Project, standing: Standing, platforms: Sequence[str], built: Built, kept: Mapping[str, Kept]
) -> None:
    """Keep what was built, where the engine says the same.

    platforms: those that were built; the engine may be able to keep fewer than were asked for. kept: name -> what the
    engine has. Raises OSError.
    """
    plan, said = standing.plan, built.progress.bases()
    bases = {n: said[c] for n in _all_unpinned(plan) if (c := str(parse_reference(n))) in said}
    keys = image_keys(project, plan, standing.names, standing.inputs, bases)
    made = {
        key: Made(id=there.id, digest=built.digest(target), platforms=tuple(platforms))
        for target, key in keys.items()
        if (there := kept.get(standing.names[target].references[0])) and built.is_kept(target, there)
    }
    write_memory(project.folder, remember(load_memory(project.folder), made))


def remember(memory: Memory, made: Memory) -> Memory:
    """The memory with what was made now as the latest."""
    whole = {**{k: v for k, v in memory.items() if k not in made}, **made}
    return dict(list(whole.items())[-_MOST:])


def load_memory(folder: Path) -> Memory:
    """The memory in .bake/; empty where there is none, or one of another bake."""
    try:
        table: Mapping[str, Any] = read_chapter(folder, _CHAPTER)
        return {k: _made(v) for k, v in table["made"].items()} if table["format"] == _FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _made(value: Mapping[str, Any]) -> Made:
    return Made(**{**value, "platforms": tuple(value["platforms"])})


def write_memory(folder: Path, memory: Memory) -> None:
    """Leave the memory in .bake/. Raises OSError."""
    write_chapter(folder, _CHAPTER, {"format": _FORMAT, "made": {k: asdict(v) for k, v in memory.items()}})
