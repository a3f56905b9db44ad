"""Where a server listens and how one knows that it is well, guessed from commands, settings and sources. Pure."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from bake.evidence import RUNS_FILES, Evidence, PackageFacts, WorkspaceFacts, entry_of, operand_at
from bake.guess.frontends import Frontend
from bake.shell import parse_line, unwrap
from bake.sources import Start

HTTP = frozenset(
    {
        *("express", "fastify", "fastify-cli", "koa", "hono", "@hono/node-server", "@hapi/hapi", "restify", "polka"),
        *("@nestjs/platform-express", "@nestjs/platform-fastify", "@loopback/rest", "@apollo/server", "apollo-server"),
        *("next", "nuxt", "@strapi/strapi", "graphql-yoga", "@adonisjs/core", "@feathersjs/express", "h3", "ws"),
        *("socket.io", "@trpc/server", "elysia", "connect", "micro", "@remix-run/serve", "@react-router/serve"),
    }
)
"""Packages of which one makes its user a server."""
_PORT_NAME = (
    r"(?!(?:DB|DATABASE|REDIS|SMTP|MAIL|EMAIL|POSTGRES|PG|MYSQL|MONGO|KAFKA|RABBIT\w*|ELASTIC|VITE|METRICS|DEBUG)_)"
)
_PLAIN_PORT = r"(?:HTTP_|SERVER_|API_|APP_|WEB_|BACKEND_|FRONTEND_)?PORT"
_VARIABLE_PORTS = (
    r"process\.env(?:\.|\[['\"])PORT(?:['\"]\])?\s*\)?\s*(?:\|\||\?\?)\s*['\"]?(\d{2,5})",
    r"process\.env(?:\.|\[['\"])PORT(?:['\"]\])?\s*,\s*(\d{4,5})\b",
    r"\bPORT\s*(?::\s*\w+\s*)?=\s*['\"]?(\d{2,5})['\"]?\s*[,}][^\n;]*=\s*process\.env\b",
    rf"process\.env(?:\.|\[['\"]){_PORT_NAME}(?:[A-Z]+_)*PORT(?:['\"]\])?\s*\)?\s*(?:\|\||\?\?)\s*['\"]?(\d{{2,5}})",
    rf"\b{_PORT_NAME}{_PLAIN_PORT}['\"]?\s*:[^\n]{{0,80}}?(?:default|catch)\s*[:(]\s*['\"]?(\d{{2,5}})",
)
"""Defaults of variables such as $PORT."""
_PORTS = (
    *_VARIABLE_PORTS,
    r"\b(?:http|server|api|app|web|backend|frontend)?[pP]ort\s*:[^\n]{0,80}?\bdefault\(\s*(\d{2,5})\)",
    # What holds in production, of a choice between two.
    r"\b(?:const|let|var)\s+(?:PORT|port)\b[^=\n]*=[^\n;]*?(?i:dev)\w*['\"]?\)?\s*\?\s*\d{2,5}\s*:\s*(\d{2,5})\b",
    r"\.listen\(\s*(?:\{[^}]{0,80}?port:\s*)?(\d{2,5})\b",
    r"\bget(?:<\w+>)?\(\s*['\"]PORT['\"]\s*\)?\s*(?:,|\|\||\?\?)\s*['\"]?(\d{2,5})",
    r"\b(?:const|let|var)\s+(?:PORT|port)\b[^=\n]*=[^\n;]*?(?:\n\s*[?:|][^\n;]*?){0,3}\b(\d{4,5})\b",
    r"\b(?:default|http|server|api|app)?_?[pP]ort\s*:\s*(\d{4,5})\b",
)
_OTHERS_ADDRESS = re.compile(r":\$\{\s*process\.env\.(?!PORT\b)[^}]*\}")
"""Ports in the likes of `http://${process.env.WEB_HOST}:${process.env.WEB_PORT || 3000}`."""
_OTHERS_PORTS = frozenset({1433, 2525, 3306, 4566, 5432, 5672, 6379, 8125, 9092, 9200, 9229, 11211, 27017})
"""Of databases, queues, mail, AWS's stand-in and debuggers."""
OPEN_PORT = re.compile(r"\$PORT\b|\$\{PORT\}")
"""What a shell puts nothing for when nobody sets the variable."""
_OPTION = re.compile(r"(?:^|\s)(?:-p|--port)[=\s](\d{2,5})\b")
_HEALTH = r"['\"`](/(?:api/)?(?:healthz|livez|health|healthcheck|health/live|readyz|ping))['\"`]"
_ROUTE = re.compile(
    rf"\b(?:app|server|fastify|instance|api|http)\s*\.\s*(?:get|all|route|use)\s*(?:<[^>(]*>)?\(\s*{_HEALTH}"
)
_ROUTE_MAYBE = re.compile(rf"(?:\.\s*(?:get|all|route)\s*\(|(?:url|path|pathname)['\"]?\s*(?:===?|:)|case)\s*{_HEALTH}")


def find_port(
    facts: PackageFacts,
    everything: WorkspaceFacts,
    start: Start,
    frontend: Frontend | None,
    source: str,
    said: Evidence | None = None,
) -> tuple[int | None, str]:
    """The port and the file that tells it. source: of the start. said: what production says of it."""
    line = " ".join(start.words)
    own = next(((port, f"{tool}'s own") for pattern, port, tool in _OWN_PORTS if re.search(pattern, line)), None)
    if stated := _stated_port(start, source, said) or _file_port(facts, everything, line):
        return stated
    # Next.js asks no source.
    found = (None, "") if own and own[1].startswith("Next.js") else _source_port(in_mode(facts, start))
    if found[0] is None and frontend is not None and frontend.port and frontend.command:
        return frontend.port, f"{frontend.tool}'s own"
    found = found if found[0] is not None else own or _library_port(facts, everything)
    return found if found[0] is not None else _address_port(facts, everything)


def _stated_port(start: Start, source: str, said: Evidence | None) -> tuple[int | None, str] | None:
    """The port that the command, or a file about production, names."""
    if option := _OPTION.search(" ".join(start.words)):
        return int(option[1]), "its command"
    if re.fullmatch(r"\d{2,5}", given := dict(start.env).get("PORT", "")):
        return int(given), source
    if said and said.port and said.port not in _OTHERS_PORTS:
        return said.port, said.told.get("port", said.source)
    return None


def _file_port(facts: PackageFacts, everything: WorkspaceFacts, line: str) -> tuple[int, str] | None:
    """The port that a file of variables sets which git tracks and the process is told to read."""
    names = re.findall(r"--env-file(?:-if-exists)?[=\s](?:\./)?(\S+)", line)
    names += [".env"] if "dotenv" in facts.package.dependencies else []
    for name in names:
        file = facts.package.file(name)
        found = _ENV_PORT.search(facts.texts.get(name, "")) if file in everything.paths else None
        if found:
            return int(found[1]), file
    return None


_ENV_PORT = re.compile(r"^(?:export\s+)?PORT=[\"']?(\d{2,5})\b", re.M)
_OWN_PORTS = (
    (r"(?:^|exec |\.sh )next start", 3000, "Next.js"),
    (r"^fastify ", 3000, "fastify-cli"),
    (r"^(?:react-router|remix)-serve ", 3000, "React Router"),
    (r"^node \.output/server/index\.mjs", 3000, "Nitro"),
)


def _library_port(facts: PackageFacts, everything: WorkspaceFacts) -> tuple[int | None, str]:
    """The default of $PORT in a package of the workspace that this server alone uses: settings are often apart."""
    servers = [f.package.path for f in everything.packages if HTTP & {*f.package.dependencies}]
    needs = {path: everything.workspace.needs(path) for path in servers}
    for place in everything.packages:
        if [path for path in servers if place.package.path in needs[path]] == [facts.package.path]:
            for path, text in place.sources.items():
                found = next((m for pattern in _VARIABLE_PORTS if (m := re.search(pattern, text))), None)
                if found and int(found[1]) not in _OTHERS_PORTS:
                    return int(found[1]), f"{place.package.path}/{path}"
    return None, ""


_CHOICE = re.compile(
    r"(?:case\s+['\"`](?P<case>[\w:-]+)['\"`]\s*:|===?\s*['\"`](?P<like>[\w:-]+)['\"`]\s*\)\s*\{?)"
    r"(?:(?!\bcase\b|\bbreak\b|\belse\b|\}).){0,400}?\b(?:import|require)\(\s*['\"`]\.\/(?P<file>[^'\"`]+)['\"`]",
    re.S,
)
"""A file that is loaded for one word of the command line only."""


def in_mode(facts: PackageFacts, start: Start) -> PackageFacts:
    """The package without the sources of modes in which the command does not start it."""
    unused: set[str] = set()
    for path, text in facts.sources.items():
        for found in _CHOICE.finditer(text) if "process.argv" in text else ():
            mode = found["case"] or found["like"]
            usual = re.search(rf"(?:\|\||\?\?)\s*['\"`]{re.escape(mode)}['\"`]", text)
            if mode not in start.words and not usual:
                unused.add(_stem(posixpath.join(posixpath.dirname(path), found["file"])))
    unused.update(map(_stem, _of_other_scripts(facts, start)))
    sources = {path: text for path, text in facts.sources.items() if _stem(path) not in unused} if unused else None
    return replace(facts, sources=sources) if sources is not None else facts


def _of_other_scripts(facts: PackageFacts, start: Start) -> Iterator[str]:
    """Sources that the package's scripts start and this command does not, be it through another one."""
    steps = (unwrap(step.words).words for text in facts.package.scripts.values() for step in parse_line(text))
    begun = {entry_of(words)[:1] for words in steps if words and words[0] in RUNS_FILES and operand_at(words)}
    entries = {path: entry_of(("node", path))[:1] for path in facts.sources}
    own = entry_of(start.words)[:1]
    for path, entry in entries.items() if own in entries.values() else ():
        name = re.escape(posixpath.basename(_stem(path)))
        loaded = re.compile(rf"/{name}(?:\.[cm]?[jt]sx?)?['\"`]")
        others = (text for other, text in facts.sources.items() if other != path)
        if entry in begun - {own} and not any(map(loaded.search, others)):
            yield path


def _stem(path: str) -> str:
    return re.sub(r"\.[cm]?[jt]sx?$", "", posixpath.normpath(path))


_OF_ADDRESS = re.compile(r"(\w+)\s*=\s*new URL\(\s*(?:process\.)?env\.(\w+)")


def _address_port(facts: PackageFacts, everything: WorkspaceFacts) -> tuple[int | None, str]:
    """The port of a server that listens where a variable has its own address: `new URL(env.WORKER_URL).port`."""
    needs = everything.workspace.needs(facts.package.path)
    places = (facts, *(f for f in everything.packages if f.package.path in needs))
    texts = [text for text in facts.sources.values() if ".listen(" in text]
    named = [(n, v) for text in texts for n, v in _OF_ADDRESS.findall(text) if f"{n}.port" in text]
    for _, variable in named:
        default = re.compile(rf"\b{variable}\b[^\n]*?https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{{2,5}})\b")
        for place in places:
            for path, text in place.sources.items():
                if found := default.search(text):
                    return int(found[1]), place.package.file(path)
    return None, ""


def _source_port(facts: PackageFacts) -> tuple[int | None, str]:
    sources = {path: _OTHERS_ADDRESS.sub("", text) for path, text in facts.sources.items()}
    for pattern in _PORTS:
        for path, text in sources.items():
            numbers = (int(found[1]) for found in re.finditer(pattern, text))
            if number := next((n for n in numbers if n not in _OTHERS_PORTS), None):
                return number, facts.package.file(path)
    for name in (".env.example", ".env.sample"):
        if found := _ENV_PORT.search(facts.texts.get(name, "")):
            return int(found[1]), facts.package.file(name)
    return None, ""


def find_health(facts: PackageFacts, everything: WorkspaceFacts, said: Evidence | None = None) -> tuple[str, str, bool]:
    """The path, its file, and whether it is served under that very path; libraries of the workspace count too."""
    if said and said.health:
        return said.health, said.told.get("health", said.source), True
    needs = everything.workspace.needs(facts.package.path)
    libraries = (f for f in everything.packages if "start" not in f.package.scripts)
    places = (facts, *(f for f in libraries if f.package.path in needs))
    for certain, pattern in ((True, _ROUTE), (False, _ROUTE_MAYBE)):
        for place in places:
            for path, text in place.sources.items():
                if found := pattern.search(text):
                    return found[1], place.package.file(path), certain
    return "", "", False
