"""Names of processes and of their variables: what files call them, as bake.toml has them. Pure."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping

from bake.sources import is_usual_mode

_DEVELOPERS = frozenset(
    {
        *(
            "dev",
            "develop",
            "development",
            "devcontainer",
            "local",
            "debug",
            "watch",
            "test",
            "tests",
            "tst",
            "testing",
            "e2e",
        ),
        *("ci", "lint", "bench", "benchmark", "benchmarks", "storybook", "cursor", "gitpod", "fixtures", "playwright"),
        *("cypress", "integration", "mock", "mocks", "localhost", "deprecated", "legacy"),
    }
)


def slug(name: str) -> str:
    """A name as bake.toml's names are: lower-case letters, digits, single dashes; a scope is dropped."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name.rpartition("/")[2])
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def is_for_developers(path: str) -> bool:
    """Whether a file or a stage is for developers or tests, by the words of its name and its folders."""
    folder, name = posixpath.split(path)
    words = {*re.split(r"[./_-]+", f"{folder}/{name}".lower())}
    return bool(words & _DEVELOPERS)


_BESIDE = frozenset(
    {
        *(
            "example",
            "examples",
            "sample",
            "samples",
            "docs",
            "doc",
            "demo",
            "demos",
            "template",
            "templates",
            "tutorial",
        ),
        *("playground", "sandbox", "starter", "starters", "boilerplate"),
    }
)


def is_beside(path: str) -> bool:
    """Whether a file lies in a folder of examples or documents."""
    return bool({*posixpath.dirname(path).lower().split("/")} & _BESIDE)


def plain_name(program: str) -> str:
    """A program's name without what says that it is one: `start-worker.sh` is `worker`."""
    name = slug(re.sub(r"\.(?:sh|[cm]?[jt]s)$", "", program))
    return re.sub(r"^(?:start|run|svc)-(?=.)|-(?:start|run|runtime|runner|prod|production|image|container)$", "", name)


def within(role: str, path: str) -> str:
    """A role's name without the service's in front: `catalog-worker` of services/catalog is `worker`."""
    service = slug(posixpath.basename(path))
    return role.removeprefix(f"{service}-") or role


# --- variables ------------------------------------------------------------------------------------------------

_OF_TOOLS = re.compile(
    r"PATH|CI|HUSKY|PNPM_HOME|COREPACK_\w+|npm_config_\w+|NPM_CONFIG_\w+|pnpm_config_\w+|YARN_\w+|TURBO_\w+"
    r"|DEBIAN_FRONTEND|NEXT_TELEMETRY_DISABLED|(?!(?:\w+_)?(?:API|SCHEMA|PROTOCOL|CONTRACT|MODEL)_)\w*_VERSION"
    r"|PYTHON\w*|GO(?:PATH|ROOT|BIN|FLAGS|PROXY)|CGO_\w+|HOME|NX_\w+|DOCKER\w*|(?:NEXT_PUBLIC|VITE|REACT_APP)_\w+"
)
"""Variables of builds and of the system: no setting of a process."""
_LOCALE = re.compile(r"LANG|LANGUAGE|LC_\w+")
_USUAL_LOCALE = re.compile(r"(?i)(?:c|posix|en_us)?(?:\.utf-?8)?|en_us(?:\.utf-?8)?:en")
"""What Node formats numbers and dates with anyhow."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WITHHELD = re.compile(r"SENTRY_\w+|\w*(?:SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE_KEY)\w*|\w*DATABASE_URL")
_ELSEWHERE = re.compile(
    r"\w*(?:API_?KEY|ACCESS_?KEY|CREDENTIAL|_KEY$|SALT|DSN|URL|URI|ENDPOINT|BROKERS?|ORIGINS?|DOMAIN)\w*"
    r"|(?:POSTGRES|PG|MYSQL|MARIADB|MONGO\w*|REDIS|DB|DATABASE|RABBITMQ|AMQP|KAFKA|SMTP|MAIL|S3|AWS|MINIO|ELASTIC\w*)_?\w*"
)
"""Variables that say where others are and who one is there: another cluster has other ones."""
_HOST = re.compile(r"\w*(?:HOST|HOSTNAME|ADDRESS)")
_LOCAL = re.compile(r"(?:file:|sqlite3?:)?(?://)?(?:\.{0,2}/)?(?!/)[\w./-]+\.(?:db|sqlite3?)|:memory:")
"""A database that is a file of the container itself."""
_TO_FILL = re.compile(r"(?i)__\w+__|<.+>|\w*(?:change[-_ ]?me|replace[-_ ]?me)\w*|your[-_ ].+|x{3,}|\.{3}")
"""What an example has where everybody puts a value of one's own."""


def is_setting(name: str, value: str) -> bool:
    """Whether a variable of an image is one that its process reads, and its value is known."""
    known = bool(value) and "$" not in value and bool(_VARIABLE.fullmatch(name)) and not _TO_FILL.fullmatch(value)
    return known and not _is_of_tools(name, value) and (not _WITHHELD.fullmatch(name) or _is_local(name, value))


def _is_of_tools(name: str, value: str) -> bool:
    if _LOCALE.fullmatch(name):
        return bool(_USUAL_LOCALE.fullmatch(value))
    return is_usual_mode(name, value) or bool(_OF_TOOLS.fullmatch(name))


def _is_local(name: str, value: str) -> bool:
    return bool(re.search(r"DATABASE|DB|SQLITE", name) and _LOCAL.fullmatch(value))


def withheld_settings(env: Mapping[str, str]) -> Iterator[str]:
    """Variables of an image that are nothing for bake.toml: secrets, and addresses of databases."""
    withheld = ((n, v) for n, v in env.items() if _WITHHELD.fullmatch(n) and not _is_of_tools(n, v))
    yield from (name for name, value in withheld if not is_setting(name, value))


def plain_settings(env: Mapping[str, str], peers: Collection[str] = ()) -> tuple[dict[str, str], tuple[str, ...]]:
    """What is a process's own of the variables that a deployment sets, and the names of the others.

    peers: names of other processes, which are hosts there.
    """
    known = {n: v for n, v in env.items() if not _is_of_tools(n, v)}
    plain = {n: v for n, v in known.items() if is_setting(n, v) and _is_plain(n, v, peers)}
    return plain, tuple(n for n in known if n not in plain)


def _is_plain(name: str, value: str, peers: Collection[str]) -> bool:
    if _is_local(name, value):
        return True
    host = value.partition(":")[0]
    wild = value in {"0.0.0.0", "::"}  # noqa: S104 - what a file says
    if "://" in value or (host in peers and ":" in value) or value in peers or "localhost" in value or "\n" in value:
        return False
    return not _ELSEWHERE.fullmatch(name) and (wild or not _HOST.fullmatch(name))
