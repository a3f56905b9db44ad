"""Templates filled with values, by jinja: loading it takes longer than much that needs no template."""

import traceback
from collections.abc import Callable
from typing import Any

import jinja2
import jinja2.sandbox

from bake.errors import BakeError, WorkspaceError
from bake.project import EJECTED, Project
from bake.render.templates import template_text


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


def template_environment(*, finalize: Callable[[Any], Any]) -> jinja2.Environment:
    """The environment of the texts of .bake/. finalize: of every value but an undefined one, which says what it is."""
    return _Environment(
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: str(value) if isinstance(value, jinja2.Undefined) else finalize(value),
        keep_trailing_newline=True,
        autoescape=False,
    )
