"""Where code says that it writes to. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from bake.texts.said import Write

_GIVEN: Final = (
    r"(?:process\.env\.\w+\s*(?:\|\||\?\?)\s*)?"
    r"(?:(['\"`])(?P<plain>[^'\"`\n${}]+)\2"
    r"|(?:path\.)?(?:join|resolve)\(\s*(?P<base>__dirname|import\.meta\.dirname|process\.cwd\(\))\s*"
    r"(?P<parts>(?:,\s*['\"][^'\"\n]+['\"])+)\s*\)"
    r"|(?P<name>[A-Za-z_]\w*)\s*[,)}\n])"
)
_CALL: Final = re.compile(
    r"\b(mkdir|mkdirSync|ensureDir|ensureDirSync|mkdirp|mkdirpSync"
    r"|writeFile|writeFileSync|appendFile|appendFileSync|createWriteStream|outputFile|outputFileSync)\s*\(\s*" + _GIVEN
)
_KEPT: Final = re.compile(
    r"\b((?:new\s+(?:\w+\.)?(?:Database|DatabaseSync|JSONFile|JSONFileSync|Level|ClassicLevel)|JSONFile(?:Sync)?Preset"
    r"|pino\.destination)\s*\(\s*|(?:filename|storage|database|url|dest|uploadDir|dirname)\s*:\s*)" + _GIVEN
)
"""What libraries keep in files: databases, logs, uploads."""
_KEEPING: Final = (
    *("Database(", "DatabaseSync(", "JSONFile", "Level(", "pino.destination", "dest:", "uploadDir", "dirname:"),
    *(".db'", '.db"', ".sqlite", ".log'", '.log"'),
)
_FOLDERS: Final = re.compile(r"(?:new\s+(?:\w+\.)?(?:Classic)?Level|dest|uploadDir|dirname)\b")
_UNCHANGED: Final = re.compile(r"[^\n;]{0,80}\b(?:readonly|readOnly|OPEN_READONLY|fileMustExist)\b")
_CALLED: Final = ("mkdir", "ensureDir", "writeFile", "appendFile", "createWriteStream", "outputFile")
"""What the name of each of these calls begins with: most texts have none."""
_VALUE: Final = (
    r"\b(?:const|let|var)\s+{name}\s*(?::\s*string\s*)?=\s*(?:process\.env\.\w+\s*(?:\|\||\?\?)\s*)?"
    r"(?:(['\"`])(?P<plain>[^'\"`\n${{}}]+)\1"
    r"|(?:path\.)?(?:join|resolve)\(\s*(?P<base>__dirname|import\.meta\.dirname|process\.cwd\(\))\s*"
    r"(?P<parts>(?:,\s*['\"][^'\"\n]+['\"])+)\s*\))"
)


def parse_writes(text: str) -> tuple[Write, ...]:
    """What a text makes or writes, and what its libraries keep; lines end with a newline alone."""
    return (*_made(text), *_kept(text))


def _made(text: str) -> Iterator[Write]:
    for call in _CALL.finditer(text) if any(word in text for word in _CALLED) else ():
        makes = call[1].startswith(("mkdir", "ensureDir"))
        yield _said(call, text)._replace(folder=makes, named=call["name"] is not None)


def _kept(text: str) -> Iterator[Write]:
    """What libraries keep in files: a database by its name, a log, a folder of uploads."""
    for kept in _KEPT.finditer(text) if any(word in text for word in _KEEPING) else ():
        if not _UNCHANGED.match(text, kept.end()):
            said = _said(kept, text)
            plain = (said.plain or "").removeprefix("file:") or None
            yield said._replace(plain=plain, folder=bool(_FOLDERS.match(kept[1])), kept=True)


def _said(call: re.Match[str], text: str) -> Write:
    """The parts of a call's path, be it by a name that the text gives a value; none for one that it gives none."""
    found: re.Match[str] | None = call
    if name := call["name"]:
        found = re.search(_VALUE.format(name=re.escape(name)), text)
    plain, base, parts = found.group("plain", "base", "parts") if found else (None, None, None)
    return Write(plain=plain, base=base, parts=parts, folder=False, named=False, kept=False)
