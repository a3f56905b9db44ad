"""What is raced for: the services of a workspace as every peer needs to know them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bake.plan import Request, make_plan
from bake.project import load_project


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A service. folder, package: of its npm package. static: the folder of built files that it serves, if it does.

    images: target -> command.
    """

    name: str
    folder: str
    package: str
    static: str | None
    images: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The services, and the folders of all packages: libraries first in a sense, as npm lists them."""

    services: tuple[Served, ...]
    packages: tuple[str, ...]

    @property
    def libraries(self) -> tuple[str, ...]:
        """Packages that no image is made for."""
        own = {s.folder for s in self.services}
        return tuple(p for p in self.packages if p not in own)

    def without(self, names: "Mapping[str, str]") -> "Fleet":
        """The fleet without services that a peer cannot build."""
        return Fleet(services=tuple(s for s in self.services if s.name not in names), packages=self.packages)


def read_fleet(root: Path) -> Fleet:
    """The fleet that the workspace's bake.toml describes."""
    project = load_project(root / "bake.toml", {})
    plan = make_plan(project, Request())
    services = []
    for name, service in project.config.services.items():
        images = {i.target: (*i.entrypoint, *i.command) for i in plan.images if i.service == name}
        package = project.workspace.package(service.package)
        services.append(
            Served(name=name, folder=package.path, package=package.name, static=service.static, images=images)
        )
    packages = tuple(p.path for p in project.workspace.packages if p.path)
    return Fleet(services=tuple(services), packages=packages)
