"""Find what one source file imports, with a real parser."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import tree_sitter_typescript
from tree_sitter import Language, Node, Parser, Query, QueryCursor

from bake.texts.said import BUILTINS, COMPONENTS, SCRIPTS, TYPESCRIPT, Found, FoundKind


def scan(text: str, *, suffix: str) -> tuple[Found, ...]:
    """Return the imports in `text`, in its order; `suffix` (".ts", ".vue") says how to read it.

    Found are `import`, `export … from`, `import = require`, `require`, `require.resolve`, `import()` and
    `import.meta.resolve`. An unknown suffix holds nothing; broken text gives what can be read of it.
    """
    if suffix in COMPONENTS:
        return tuple(_scan_component(text))
    source = text.encode("utf-8", "replace")
    if suffix not in SCRIPTS or not _may_import(source):
        return ()
    return tuple(_scan_script(source, suffix, elide=suffix in TYPESCRIPT))


_SCRIPT_BLOCK = re.compile(r"<script\b([^>]*)>(.*?)</script\s*>", re.S | re.I)
_LANG = re.compile(r"""\blang\s*=\s*["']?(\w+)""")


def _scan_component(text: str) -> Iterator[Found]:
    # The template uses imported names too, so none of them can be called elided from the script alone.
    for block in _SCRIPT_BLOCK.finditer(text):
        lang = _LANG.search(block[1])
        suffix = f".{lang[1]}" if lang and f".{lang[1]}" in SCRIPTS else ".js"
        above = text.count("\n", 0, block.start(2))
        source = block[2].encode("utf-8", "replace")
        for found in _scan_script(source, suffix, elide=False) if _may_import(source) else ():
            yield found._replace(line=found.line + above)


def _may_import(source: bytes) -> bool:
    return b"import" in source or b"require" in source or (b"export" in source and b"from" in source)


def _scan_script(source: bytes, suffix: str, *, elide: bool) -> Iterator[Found]:
    # `<T>x` is a cast in .ts and an element in .tsx; everything else is common to both grammars.
    language, queries = _grammar(tsx=suffix not in {".ts", ".mts", ".cts"})
    text, found = _parse_head(language, source, elide=elide), dict[int, Found]()
    if text is None:
        text, found = _parse(language, source, elide=elide)
    calls = b"require" in source or _CALL.search(source) is not None
    for _, captures in QueryCursor(queries[calls]).matches(text.root):
        for node, what in _hits(captures):
            found[node.start_byte] = _found(text, node, what)
    if text.root.has_error or _has_from_on_new_line(source):
        found = dict(_unparsed(text.root, source)) | found
    found |= {at: one for at, one in _named_files(source) if at not in found}
    return (found[at] for at in sorted(found))


# What code starts is a file's name in a string, not far from one of these words.
_STARTERS = (b"fork", b"spawn", b"exec", b"Worker", b"__dirname", b"import.meta")
_SCRIPT_NAME = re.compile(
    rb"""["'`](?P<name>[\w./-]*[\w-]\.[cm]?[jt]sx?)["'`]|\b__dirname\s*,\s*["'](?P<beside>[\w./-]+)["']"""
)


def _named_files(source: bytes) -> Iterator[tuple[int, Found]]:
    for match in _SCRIPT_NAME.finditer(source) if any(word in source for word in _STARTERS) else ():
        at = match.start("name" if match["name"] else "beside") - 1
        yield at, Found((match["name"] or match["beside"]).decode(), _line(source, at), "file")


class _Text(NamedTuple):
    """A parsed file, or the beginning of one when all imports are there; `rest` is what was not parsed.

    elide: an import of which only types are used is elided.
    """

    root: Node
    source: bytes
    elide: bool
    rest: bytes = b""


def _line(source: bytes, at: int) -> int:
    return source.count(b"\n", 0, at) + 1


# The grammar does not know type arguments behind `import("x").Y`; in .tsx it takes all that follows for text.
_TYPE_ARGUMENTS = re.compile(rb"""\bimport\(\s*("[^"\n]+"|'[^'\n]+')\s*\)(\s*\.\s*[A-Z]\w*)+(?=\s*<)""")
_NOT_NEWLINE = re.compile(rb"[^\n]")


def _parse(language: Language, source: bytes, *, elide: bool) -> tuple[_Text, dict[int, Found]]:
    parser = Parser(language)
    root = parser.parse(source).root_node
    if not root.has_error or not _TYPE_ARGUMENTS.search(source):
        return _Text(root, source, elide), {}
    found = {
        match.start(1): Found(match[1][1:-1].decode(), _line(source, match.start(1)), "type")
        for match in _TYPE_ARGUMENTS.finditer(source)
    }
    plain = _TYPE_ARGUMENTS.sub(lambda match: _NOT_NEWLINE.sub(b"T", match[0]), source)
    return _Text(parser.parse(plain).root_node, source, elide), found


_CALL = re.compile(rb"\bimport\s*[(./]")
_WORD = re.compile(rb"[\w$]")
_FROM = re.compile(rb"""from\s*["'/]""")


def _parse_head(language: Language, source: bytes, *, elide: bool) -> _Text | None:
    """Parse only as far as there are imports, most often a tenth; None when that does not do.

    It does not where the cut is inside something, or where the rest must be parsed to know how a name is used.
    """
    ends = (one.end() for one in _FROM.finditer(source))
    last = max(_last(source, b"import"), _last(source, b"require"), *ends)
    end = source.find(b"\n", last) + 1
    if not 0 < end < len(source) // 2:
        return None
    text = _Text(Parser(language).parse(source[:end]).root_node, source[:end], elide, source[end:])
    return None if text.root.has_error or (elide and not _all_evident(text)) else text


def _last(source: bytes, word: bytes) -> int:
    """Return where a word, not a part of one, is for the last time; -1 when nowhere."""
    at = source.rfind(word)
    while at >= 0 and (_WORD.match(source, at + len(word)) or _WORD.match(source[at - 1 : at])):
        at = source.rfind(word, 0, at)
    return at


def _all_evident(text: _Text) -> bool:
    statements = [node for node in text.root.named_children if node.type == "import_statement"]
    return all(_evident(name, text.rest) for node in statements for name in _elidable(node, text.source))


_USE = re.compile(rb"(?:\.\w+)*[(`]")
_GENERIC_CALL = re.compile(rb"[a-z]\w*<")
_NAMED = re.compile(rb"[\w$.]")
_BEFORE_VALUE = (b"new ", b"extends ", b"instanceof ", b"...")


def _evident(name: bytes, rest: bytes) -> bool:
    """Return whether a name is used as a value for all that its surroundings say, or not at all."""
    if name in _JSX_FACTORIES:
        return True
    at = rest.find(name)
    unused = at < 0
    while at >= 0:
        end = at + len(name)
        before, after = rest[max(at - 12, 0) : at], rest[end : end + 60]
        if not _NAMED.match(before[-1:]) and (
            _USE.match(after)
            or _GENERIC_CALL.match(name + after[:1])
            or (before.endswith(b"<") and after[:1] in b" />\n" and not _NAMED.match(before[-2:-1]))
            or (before.endswith(b"(") and after[:1] in b",)")
            or before.endswith(_BEFORE_VALUE)
        ):
            return True
        at = rest.find(name, end)
    return unused


def _elidable(statement: Node, source: bytes) -> Iterator[bytes]:
    """Yield the names that an import statement brings from a package and that may be types."""
    literal = statement.children_by_field_name("source")[:1] or [
        child for clause in statement.named_children for child in clause.children_by_field_name("source")
    ]
    specifier = _literal(literal[0], source)[0] if literal else "."
    if not _is_plain(specifier) and not _says_type(statement):
        for clause in statement.named_children:
            yield from _local_names(clause) if clause.type.endswith("_clause") else ()


def _is_plain(specifier: str) -> bool:
    """Whether it does not matter if an import is elided: Node's own, and files of the package itself.

    A path that climbs twice may lead to another package, and often leads there for its types alone.
    """
    near = specifier.startswith(".") and not specifier.startswith("../../")
    return near or specifier.startswith("node:") or specifier in BUILTINS


_STATEMENTS = """
(import_statement source: (string) @import)
(import_statement (import_require_clause source: (string) @import))
(export_statement source: (string) @import)
"""
_CALLS = """
(call_expression function: (import) arguments: (arguments) @dynamic)
((call_expression function: (identifier) @name arguments: (arguments) @require) (#eq? @name "require"))
((call_expression
   function: (member_expression object: (identifier) @name property: (property_identifier) @call)
   arguments: (arguments) @require)
 (#eq? @name "require") (#eq? @call "resolve"))
((call_expression
   function: (member_expression object: (meta_property) property: (property_identifier) @call)
   arguments: (arguments) @dynamic)
 (#eq? @call "resolve"))
"""


@cache
def _grammar(*, tsx: bool) -> tuple[Language, tuple[Query, Query]]:
    load = tree_sitter_typescript.language_tsx if tsx else tree_sitter_typescript.language_typescript
    language = Language(load())
    return language, (Query(language, _STATEMENTS), Query(language, _STATEMENTS + _CALLS))


def _hits(captures: dict[str, list[Node]]) -> Iterator[tuple[Node, str]]:
    """Yield the node that names what is imported, and how it is imported."""
    for what in ("import", "dynamic", "require"):
        for node in captures.get(what, ()):
            argument = node if what == "import" else _first_argument(node)
            if argument is not None:
                yield argument, what


def _first_argument(arguments: Node) -> Node | None:
    return next((child for child in arguments.named_children if child.type != "comment"), None)


def _found(text: _Text, node: Node, what: str) -> Found:
    line, (specifier, whole) = node.start_point.row + 1, _literal(node, text.source)
    if not whole and not _PACKAGE_PART.match(specifier):
        return Found(specifier, line, "computed")
    path = _ancestors(text.root, node)
    if what == "import":
        return Found(specifier, line, _statement_kind(text, path, specifier))
    if any(_is_type(outer, below) for outer, below in zip(path, [*path[1:], node], strict=True)):
        return Found(specifier, line, "type")
    return Found(specifier, line, "require" if what == "require" else "dynamic", _guarded(path, node))


_PACKAGE_PART = re.compile(r"(?:@[\w.-]+/)?[A-Za-z0-9][\w.-]*/")  # `dayjs/locale/${name}.js` says which package


def _literal(node: Node, source: bytes) -> tuple[str, bool]:
    """Return the text of a string, and whether that is all of it: `a/${b}` gives "a/", an expression ""."""
    if node.type not in {"string", "template_string"}:
        return "", False
    hole = next((child for child in node.named_children if child.type == "template_substitution"), None)
    end = node.end_byte - 1 if hole is None else hole.start_byte
    text = source[node.start_byte + 1 : end].decode("utf-8", "replace")
    return ("", False) if "\\" in text or not text else (text, hole is None)


def _ancestors(root: Node, node: Node) -> list[Node]:
    """Return the nodes around `node`, outermost first; Node.parent would search from the root each time."""
    path: list[Node] = []
    inner: Node | None = root
    while inner is not None and inner != node:
        path.append(inner)
        inner = inner.child_with_descendant(node)
    return path


def _statement_kind(text: _Text, path: list[Node], specifier: str) -> FoundKind:
    statement = next((node for node in reversed(path) if node.type.endswith("_statement")), path[-1])
    if _says_type(statement):
        return "type"
    if any(node.type in {"ambient_declaration", "module"} for node in path):
        return "type"  # inside `declare module "x" { … }` nothing is loaded
    if statement.type == "export_statement":
        names = [node for node in statement.named_children if node.type == "export_clause"]
        return "elided" if text.elide and names and all(_all_types(node) for node in names) else "static"
    if not text.elide or _is_plain(specifier):
        return "static"
    return "elided" if _only_types(text, statement) else "static"


def _all_types(clause: Node) -> bool:
    specifiers = [node for node in clause.named_children if node.type.endswith("_specifier")]
    return bool(specifiers) and all(map(_says_type, specifiers))


def _says_type(node: Node) -> bool:
    # `export type *` is newer than the grammar.
    return any(child.type == "type" or (child.is_error and child.text == b"type") for child in node.children)


def _only_types(text: _Text, statement: Node) -> bool:
    clause = next((node for node in statement.named_children if node.type.endswith("_clause")), None)
    if clause is None or (clause.type == "import_clause" and not clause.named_child_count):
        return False
    names = list(_local_names(clause))
    return not any(_used_as_value(text, statement, name) for name in names)


def _local_names(clause: Node) -> Iterator[bytes]:
    for node in clause.named_children:
        if node.type == "identifier" and node.text:
            yield node.text
        elif node.type == "namespace_import":
            yield from _local_names(node)
        elif node.type == "named_imports":
            for specifier in node.named_children:
                name = specifier.child_by_field_name("alias") or specifier.child_by_field_name("name")
                if name and name.text and not _says_type(specifier):
                    yield name.text


# Elements become calls of these when JSX is compiled the classic way.
_JSX_FACTORIES = frozenset({b"React", b"h", b"Fragment"})


def _used_as_value(text: _Text, statement: Node, name: bytes) -> bool:
    if name in _JSX_FACTORIES or name in text.rest:  # the rest is there only if what it uses is evident
        return True
    for match in re.finditer(rb"(?<![\w$])" + re.escape(name) + rb"(?![\w$])", text.source):
        node = text.root.descendant_for_byte_range(match.start(), match.end())
        if (
            node is not None
            and node.type in {"identifier", "shorthand_property_identifier"}
            and not statement.start_byte <= match.start() < statement.end_byte
            and not _in_type(text.root, node)
        ):
            return True
    return False


def _in_type(root: Node, node: Node) -> bool:
    path = _ancestors(root, node)
    if path[-1].type in {"import_specifier", "import_clause", "namespace_import"}:
        return True
    if path[-1].type == "export_specifier":
        return any(map(_says_type, path[-3:]))
    return any(_is_type(outer, below) for outer, below in zip(path, [*path[1:], node], strict=True))


_TYPES = frozenset(
    {
        "array_type",
        "asserts",
        "conditional_type",
        "constraint",
        "constructor_type",
        "default_type",
        "extends_type_clause",
        "function_type",
        "generic_type",
        "implements_clause",
        "index_type_query",
        "interface_declaration",
        "intersection_type",
        "lookup_type",
        "nested_type_identifier",
        "object_type",
        "parenthesized_type",
        "readonly_type",
        "tuple_type",
        "type_alias_declaration",
        "type_annotation",
        "type_arguments",
        "type_predicate",
        "type_predicate_annotation",
        "type_query",
        "union_type",
    }
)


def _is_type(node: Node, below: Node) -> bool:
    """Return whether what lies in `below`, a child of `node`, is a type."""
    if node.type in {"as_expression", "satisfies_expression"}:
        return node.named_children[-1] == below and node.named_child_count > 1
    return node.type in _TYPES


_FUNCTIONS = frozenset({"function_declaration", "function_expression", "arrow_function", "method_definition"})


def _guarded(path: list[Node], literal: Node) -> bool:
    for node, below in zip(reversed(path), reversed([*path[1:], literal]), strict=True):
        if node.type == "try_statement" and node.child_by_field_name("body") == below:
            return node.child_by_field_name("handler") is not None
        if node.type == "member_expression":
            name = node.child_by_field_name("property")
            if name is not None and name.text == b"catch":
                return True
        if node.type in _FUNCTIONS:
            return False
    return False


# What the parser could not read is looked for by pattern: rather an import too many than one too few.
_PATTERN = re.compile(
    rb"""(?:\b(?:import|export)\s+(?P<type>type\b)?[^;'"()]*?\bfrom|\bimport|\b(?P<require>require(?:\.resolve)?)\s*\("""
    rb"""|\b(?P<dynamic>import)\s*\()\s*(?:"(?P<a>[^"\n\\]+)"|'(?P<b>[^'\n\\]+)')"""
)
_NO_CODE = frozenset({"comment", "string", "string_fragment", "template_string", "regex_pattern"})


def _has_from_on_new_line(source: bytes) -> bool:
    """Return whether a line begins with `from`: the grammar ends an `export { x }` before it."""
    starts = (one.start() for one in _FROM.finditer(source))
    return any(source[max(at - 80, 0) : at].rstrip(b" \t\r").endswith(b"\n") for at in starts)


def _unparsed(root: Node, source: bytes) -> Iterator[tuple[int, Found]]:
    for match in _PATTERN.finditer(source):
        node = root.descendant_for_byte_range(match.start(), match.start() + 1)
        if node is not None and node.type in _NO_CODE:
            continue
        at = match.start("a" if match["a"] else "b") - 1
        kind: FoundKind = "type" if match["type"] else "require" if match["require"] else "static"
        name = (match["a"] or match["b"]).decode("utf-8", "replace")
        yield at, Found(name, _line(source, at), "dynamic" if match["dynamic"] else kind)
