"""What a Dockerfile installs from its distribution, by the names that Debian has for it. Pure."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bake.shell import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPackage:
    """A package of the distribution. certain: whether Debian's own archive has it by this name."""

    name: str
    certain: bool


def installed_packages(steps: Sequence[Step], *, elsewhere: bool) -> tuple[SystemPackage, ...]:
    """The packages that commands leave installed. elsewhere: whether other archives than the distribution's count."""
    calls = [words for step in steps if (words := _plain(step.words))]
    gone = {name for words in calls for name in _named(words, _REMOVERS)}
    found = (
        _package(words[0], name, elsewhere=elsewhere)
        for words in calls
        if not _is_passing(words)
        for name in _named(words, _INSTALLERS)
        if name not in gone
    )
    return tuple(dict.fromkeys(found))


_BEFORE = frozenset(
    {"sudo", "env", "exec", "time", "!", "{", "(", "if", "then", "else", "elif", "do", "while", "until"}
)


def _plain(words: Sequence[str]) -> tuple[str, ...]:
    """A command without what may stand before it: variables, options of sudo, the words of a shell."""
    return tuple(itertools.dropwhile(lambda word: word in _BEFORE or re.match(r"-|\w+=", word), words))


def global_packages(steps: Sequence[Step]) -> Iterator[str]:
    """npm packages that commands install for everybody: `npm install -g pnpm@9`, `corepack enable yarn`."""
    for words in (_plain(step.words) for step in steps):
        named = tuple(w for w in words if not w.startswith("-"))
        if named[:2] == ("corepack", "enable"):
            yield from named[2:] or ("pnpm", "yarn")
        elif named[:3] == ("yarn", "global", "add"):
            yield from map(_unversioned, named[3:])
        elif {"-g", "--global"} & {*words} and named[0] in {"npm", "pnpm", "bun"} and named[1:2] in _ADDING:
            yield from map(_unversioned, named[2:])


_ADDING = (("install",), ("i",), ("add",))


def _unversioned(name: str) -> str:
    return re.sub(r"(?<=.)@.*", "", name)


def adds_archive(text: str) -> bool:
    """Whether commands add an archive to the distribution's own."""
    return bool(
        re.search(r"sources\.list|add-apt-repository|apt-key\b|/keyrings/|nodesource|/etc/apk/repositories", text)
    )


_INSTALLERS = {"apt-get": {"install"}, "apt": {"install"}, "apk": {"add"}, "dnf": {"install"}, "yum": {"install"}}
_REMOVERS = {"apt-get": {"purge", "remove"}, "apt": {"purge", "remove"}, "apk": {"del"}}
_WITH_VALUE = frozenset({"-t", "--target-release", "-o", "--repository", "-X"})


def _is_passing(words: Sequence[str]) -> bool:
    """Whether packages are installed under a name by which they are removed again."""
    return words[0] == "apk" and bool({"-t", "--virtual"} & {word.partition("=")[0] for word in words})


def _named(words: Sequence[str], verbs: dict[str, set[str]]) -> Iterator[str]:
    known = verbs.get(words[0], set())
    at = next((n for n, word in enumerate(words) if word in known), None)
    pending = [*words[at + 1 :]] if at is not None else []
    while pending:
        word = pending.pop(0)
        if word in _WITH_VALUE and pending:
            pending.pop(0)
        elif re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.+-]*[A-Za-z0-9+])?(?:[=~<>@/].*)?", word):
            yield re.split(r"[=~<>@/]", word)[0]


def _package(installer: str, name: str, *, elsewhere: bool) -> SystemPackage:
    own = name if installer.startswith("apt") else _OF_ALPINE.get(name, "") if installer == "apk" else ""
    # Headers are for builds; a process needs the library, whose name tells its version.
    certain = bool(own) and not elsewhere and not name.endswith("-dev")
    return SystemPackage(name=own or name, certain=certain)


_OF_ALPINE = {
    name: name
    for name in (
        *("git", "git-lfs", "ffmpeg", "openssl", "openssh-client", "imagemagick", "graphicsmagick", "ghostscript"),
        *("chromium", "poppler-utils", "rsync", "bash", "curl", "wget", "zip", "unzip", "tzdata", "tini", "dumb-init"),
        *("ca-certificates", "python3", "pandoc", "qpdf", "make", "g++", "gcc", "jq", "gnupg", "procps", "fontconfig"),
        *("postgresql-client", "libreoffice", "tesseract-ocr", "7zip"),
    )
} | {
    "exiftool": "libimage-exiftool-perl",
    "cairo": "libcairo2",
    "pango": "libpango-1.0-0",
    "jpeg": "libjpeg62-turbo",
    "libjpeg-turbo": "libjpeg62-turbo",
    "giflib": "libgif7",
    "librsvg": "librsvg2-2",
    "nss": "libnss3",
    "freetype": "libfreetype6",
    "harfbuzz": "libharfbuzz0b",
    "ttf-freefont": "fonts-freefont-ttf",
    "ttf-dejavu": "fonts-dejavu-core",
    "ttf-liberation": "fonts-liberation",
    "font-noto": "fonts-noto-core",
    "font-noto-cjk": "fonts-noto-cjk",
    "font-noto-emoji": "fonts-noto-color-emoji",
    "mysql-client": "default-mysql-client",
    "sqlite": "sqlite3",
    "p7zip": "p7zip-full",
}
"""Alpine's name -> Debian's, which bookworm and trixie have. Source: pkgs.alpinelinux.org, packages.debian.org."""
