"""What the settings of a bundler say, which are code: the names that stand for paths, as far as that is plain. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from posixpath import dirname, join, normpath
from typing import Final

import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

_BESIDE: Final = frozenset({"server", "preview", "test"})
"""Keys of Vite that no build reads."""
_WRAPPED: Final = frozenset(
    {"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a file of settings says.

    aliases: names and what they stand for, in order. imports: modules that it loads. strings: its texts. places:
    absolute paths that it has for nothing but aliases.
    """

    aliases: tuple[tuple[str, str], ...] = ()
    imports: frozenset[str] = frozenset()
    strings: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()


def parse_settings(text: bytes, file: str, home: str) -> Settings | None:
    """Read settings; None where some alias cannot be told. file: absolute. home: where the build runs."""
    root = _parser().parse(text).root_node
    reader = _Reader(file=file, home=home, constants=dict(_constants(root)))
    try:
        return None if root.has_error else reader.settings(root)
    except _UnknownError:
        return None


class _UnknownError(Exception):
    """An expression that is more than words and paths put together."""


@dataclass
class _Reader:
    file: str
    home: str
    constants: Mapping[str, Node | None]
    depth: int = 0
    loaded: set[str] = field(default_factory=set)

    def settings(self, root: Node) -> Settings:
        nodes = list(_walk(root))
        pairs = [node for node in nodes if _is_alias(node) and not _is_beside(node)]

        def aliasing(node: Node) -> bool:
            return any(pair.start_byte <= node.start_byte < pair.end_byte for pair in pairs)

        outside = [node for node in nodes if not aliasing(node)]
        # What is named `alias` in another way may put names into it.
        names = (node for node in outside if node.type.endswith("identifier") and _text(node) == "alias")
        if len(pairs) > 1 or any(not _is_beside(node) for node in names):
            raise _UnknownError
        aliases = tuple(found for pair in pairs for found in self._aliases(pair))
        used = self._values(node for node in outside if not _is_beside(node) and not _is_constant(node))
        return Settings(
            aliases=aliases,
            imports=frozenset(_modules(nodes)),
            strings=frozenset(_text(node) for node in nodes if node.type == "string_fragment"),
            places=frozenset(self._values(filter(aliasing, nodes), deep=True) - used),
        )

    def _aliases(self, pair: Node) -> Iterator[tuple[str, str]]:
        value = self._resolved(pair if pair.type.startswith("shorthand") else _field(pair, "value"))
        if value.type == "array":
            for one in _elements(value):
                yield self._entry(self._resolved(one))
        elif value.type == "object":
            for one in _elements(value):
                if one.type != "pair":
                    raise _UnknownError
                yield self._key(_field(one, "key")), self.value(_field(one, "value"))
        else:
            raise _UnknownError

    def _entry(self, node: Node) -> tuple[str, str]:
        """An entry of the kind {find, replacement}."""
        pairs = _elements(node)
        if node.type != "object" or any(pair.type != "pair" for pair in pairs):
            raise _UnknownError
        values = {self._key(_field(pair, "key")): _field(pair, "value") for pair in pairs}
        if values.keys() != {"find", "replacement"}:
            raise _UnknownError
        return self.value(values["find"]), self.value(values["replacement"])

    def _key(self, node: Node) -> str:
        return _text(node) if node.type == "property_identifier" else self.value(node)

    def _resolved(self, node: Node) -> Node:
        """What an expression is, behind names and types."""
        for _ in range(8):
            if node.type in _WRAPPED:
                node = node.named_children[0]
            elif node.type.endswith("identifier") and (found := self.constants.get(_text(node))):
                node = found
            else:
                break
        return node

    def value(self, node: Node) -> str:
        """The text that an expression makes."""
        self.depth += 1
        try:
            if self.depth > 32:  # constants that name each other
                raise _UnknownError
            return self._value(self._resolved(node))
        finally:
            self.depth -= 1

    def _value(self, node: Node) -> str:
        written = _text(node).replace("?.", ".")
        if written in {"__dirname", "import.meta.dirname"}:
            return dirname(self.file)
        if written in {"__filename", "import.meta.filename", "import.meta.url"}:
            return self.file
        if node.type == "string":
            return "".join(self._part(child) for child in node.named_children)
        if node.type == "template_string":
            return "".join(self._part(child) for child in node.named_children)
        if node.type == "binary_expression" and _text(_field(node, "operator")) == "+":
            return self.value(_field(node, "left")) + self.value(_field(node, "right"))
        if node.type == "member_expression" and _text(_field(node, "property")) in {"pathname", "href"}:
            return self.value(_field(node, "object"))
        if node.type in {"call_expression", "new_expression"}:
            return self._call(node)
        raise _UnknownError

    def _part(self, node: Node) -> str:
        if node.type == "string_fragment":
            return _text(node)
        if node.type == "template_substitution":
            return self.value(node.named_children[0])
        raise _UnknownError

    def _call(self, node: Node) -> str:
        called = _text(_field(node, "constructor" if node.type == "new_expression" else "function"))
        name = called.rpartition(".")[2]
        given = node.child_by_field_name("arguments")
        words = [self.value(one) for one in _elements(given)] if given else []
        if called == "process.cwd" and not words:
            return self.home
        if called == "URL" and len(words) == 2:
            return normpath(join(dirname(words[1]), words[0]))
        if name in {"fileURLToPath", "normalizePath"} and len(words) == 1:
            return words[0]
        if name == "dirname" and len(words) == 1:
            return dirname(words[0])
        if name in {"resolve", "join"} and words and called.split(".")[0] in {"path", "posix", "resolve", "join"}:
            return normpath(join(self.home if name == "resolve" else "", *words))
        raise _UnknownError

    def _values(self, nodes: Iterable[Node], *, deep: bool = False) -> set[str]:
        """The absolute paths that some nodes make; deep: and what these are made of."""
        found: set[str] = set()
        queue = list(nodes)
        seen: set[str] = set()
        while queue:
            node = queue.pop()
            constant = self.constants.get(_text(node)) if node.type.endswith("identifier") else None
            if constant is not None and _text(node) not in seen:
                seen.add(_text(node))
                queue.extend(_walk(constant) if deep else [constant])
            try:
                value = self.value(node)
            except _UnknownError:
                continue
            if value.startswith("/"):
                found.add(normpath(value))
        return found


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_typescript.language_typescript()))


def _walk(node: Node) -> Iterator[Node]:
    queue = [node]
    while queue:
        one = queue.pop()
        yield one
        queue.extend(reversed(one.children))


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _field(node: Node, name: str) -> Node:
    found = node.child_by_field_name(name)
    if found is None:
        raise _UnknownError
    return found


def _elements(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _constants(root: Node) -> Iterator[tuple[str, Node | None]]:
    """Names and what they are; None for one that is something else at another place."""
    seen: set[str] = set()
    for node in _walk(root):
        if node.type in {"variable_declarator", "required_parameter", "optional_parameter", "assignment_expression"}:
            name = node.child_by_field_name("name") or node.child_by_field_name("pattern")
            name = name or node.child_by_field_name("left")
            if name is not None and name.type == "identifier":
                plain = node.type == "variable_declarator" and _text(name) not in seen
                yield _text(name), node.child_by_field_name("value") if plain else None
                seen.add(_text(name))


def _is_alias(node: Node) -> bool:
    if node.type == "pair":
        key = node.child_by_field_name("key")
        return key is not None and _text(key).strip("'\"") == "alias"
    return node.type == "shorthand_property_identifier" and _text(node) == "alias"


def _around(node: Node, known: Callable[[Node], bool]) -> bool:
    above = node.parent
    while above is not None:
        if known(above):
            return True
        above = above.parent
    return False


def _is_beside(node: Node) -> bool:
    """Whether it is in a part of the settings that no build reads."""

    def beside(one: Node) -> bool:
        key = one.child_by_field_name("key") if one.type == "pair" else None
        return key is not None and _text(key) in _BESIDE

    return _around(node, beside)


def _is_constant(node: Node) -> bool:
    """Whether it only makes a constant, or is the name of one where it is made."""
    return _around(node, lambda one: one.type == "variable_declarator" and _is_plain(one))


def _is_plain(declarator: Node) -> bool:
    value = declarator.child_by_field_name("value")
    return value is not None and value.type in {"call_expression", "string", "template_string", "member_expression"}


def _modules(nodes: list[Node]) -> Iterator[str]:
    """The modules that it imports or requires."""
    for node in nodes:
        source = node.child_by_field_name("source") if node.type in {"import_statement", "export_statement"} else None
        if source is not None and not any(_text(child) == "type" for child in node.children):
            yield _text(source)[1:-1]
        if node.type == "call_expression":
            called = _text(_field(node, "function"))
            given = _elements(_field(node, "arguments")) if called in {"require", "import", "require.resolve"} else []
            yield from (_text(one)[1:-1] if one.type == "string" else "" for one in given[:1])
