"""The templates that ship with bake, those that a workspace keeps as its own, and whether bake's have changed since."""

import hashlib
import re
import traceback
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import jinja2
import jinja2.sandbox

from bake.errors import BakeError, WorkspaceError
from bake.project import EJECTED, Project

_HEADER = re.compile(
    r"\A\{#- bake eject: (?P<name>\S+) of bake (?P<version>\S+), sha256 (?P<hash>[0-9a-f]{64})\..*?-#\}\n", re.S
)


def make_ejected(name: str, text: str, version: str) -> str:
    """A copy of a template with a header that says what it was copied from; rendering drops the header."""
    return (
        f"{{#- bake eject: {name} of bake {version}, sha256 {_hash(text)}.\n"
        "    Change it freely; bake renders this file instead of its own. Keep these lines: by them bake tells\n"
        "    when its own has changed since (`bake eject --diff`). -#}\n" + text
    )


def strip_header(text: str) -> str:
    """The template as it is without the header."""
    return _HEADER.sub("", text)


def behind(ejected: Mapping[str, str], own: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the copies whose original has changed; a copy without its header is taken as it is."""
    found = ((name, _HEADER.match(text)) for name, text in ejected.items())
    return tuple(name for name, header in found if header and header["hash"] != _hash(own[name]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def template_names(folder: str) -> tuple[str, ...]:
    """The names of the files in a folder that ships with bake."""
    return tuple(sorted(each.name for each in _shipped(folder).iterdir() if each.is_file()))


def template_text(name: str) -> str:
    """The text of a file that ships with bake."""
    return _shipped(name).read_text(encoding="utf-8")


def _shipped(name: str) -> Traversable:
    """A file or folder that ships with bake: in the wheel below bake/templates, in a checkout at its root."""
    installed = resources.files("bake") / "templates" / name
    return installed if installed.is_file() or installed.is_dir() else Path(__file__).parents[2] / name


def fill_template(environment: jinja2.Environment, project: Project, name: str, **values: object) -> str:
    """A template's text, of the project's own copy when it has been ejected. Raises WorkspaceError for its faults."""
    ejected = project.ejected.get(name)
    if ejected is None:
        return environment.from_string(template_text(name)).render(**values)
    try:
        return environment.from_string(ejected).render(**values)
    except BakeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the workspace's own program does is no bug of bake's
        where = f"{EJECTED}/{name}:{_line(error)}"
        raise WorkspaceError(where, f"{error} ({type(error).__name__})", "see `bake eject --diff`") from None


def _line(error: Exception) -> int:
    """The line of a template in which an error came up."""
    frames = traceback.extract_tb(error.__traceback__)
    found = [frame.lineno for frame in frames if frame.filename == "<template>"]
    return getattr(error, "lineno", None) or (found[-1] if found else None) or 1


_LARGE = 1 << 31


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """Copies of templates come with a workspace: they get values, and no way to Python's own objects or much memory."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._safe: dict[tuple[type, str], bool] = {}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Judge an attribute once per type, which is all that jinja asks about; a plan has many values of a kind."""
        key = (type(obj), attr)
        if key not in self._safe:
            self._safe[key] = super().is_safe_attribute(obj, attr, value)
        return self._safe[key]

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Multiply small numbers, and nothing else."""
        if operator == "**" or not all(isinstance(one, (int, float)) and abs(one) < _LARGE for one in (left, right)):
            raise jinja2.exceptions.SecurityError(f"templates cannot compute {operator}")
        return super().call_binop(context, operator, left, right)


def template_environment(*, finalize: Any) -> jinja2.Environment:
    return _Environment(
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        keep_trailing_newline=True,
        autoescape=False,
    )
