"""What a file server's configuration serves, and hands on to other servers: nginx's root and proxy_pass. Pure.

Source: nginx.org/en/docs/http/ngx_http_core_module.html#root, ngx_http_proxy_module.html#proxy_pass.
"""

import re
from collections.abc import Iterator, Mapping

from bake.evidence.contents import Contents, served_folders
from bake.evidence.dockerfiles import substitute

_LOCATION = re.compile(r"\blocation\s+(?:=\s*|\^~\s*)?(/[\w./-]*)\s*\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}")
_PASS = re.compile(r"\bproxy_pass\s+((?:https?://|\$)[^\s;]+)\s*;")
_URL = re.compile(r"(https?://)([\w.-]+(?::\d+)?)((?:/[\w./~%+-]*)?)")
"""What `proxy` of bake.toml can say."""
_UPSTREAM = re.compile(r"\bupstream\s+([\w.-]+)\s*\{[^{}]*?\bserver\s+([\w.:-]+)")
_COMMENT = re.compile(r"(?m)(?:^|\s)#[^\n]*")
_ROOT = re.compile(r"\b(?:root|alias)\s+[\"']?(/[^\s;\"']+?)/?[\"']?\s*;")
_OWN = re.compile(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::|/|$)")
"""Other processes of the same container, which are elsewhere once each has its own."""
_CONFIGURED = re.compile(r"\.conf(?:\.template)?$")


def find_proxies(contents: Contents) -> tuple[tuple[str, str], ...]:
    """Paths that the file server of an image hands on, and to which URL; "" where none is told that bake can name."""
    rows = (
        row
        for text in _texts(contents)
        for parse in (_parse_proxies, _parse_caddy)
        for row in parse(text, contents.stage.env)
    )
    return tuple(dict(rows).items())


_HEADER = re.compile(r"\badd_header\s+([\w-]+)\s+(\"[^\"]*\"|'[^']*'|[^\s;\"']+)(?:\s+always)?\s*;")
_OWN_HEADERS = re.compile(
    r"accept-ranges|allow|cache-control|connection|content-(?:encoding|length|range|type)|date|etag|expires|keep-alive"
    r"|last-modified|pragma|transfer-encoding|vary"
)
"""What the server of files of bake's images sets by itself."""
_DIRECTIVE = re.compile(
    r"(?m)(?:^|[;{}])\s*(return\s+30[1278]|rewrite(?!\s+\S+\s+/index\.html)|error_page\s+404(?!\s+/index\.html)|auth_basic"
    r"|auth_request|sub_filter|limit_req|ssi)(?=\s)"
)
_STARTED = re.compile(r"^/(?:docker-entrypoint\.d|etc/nginx/templates)(?:/|$)")
"""What an official nginx image runs or fills in with its environment before it starts."""


def find_headers(contents: Contents) -> dict[str, str]:
    """Headers of every answer of an image's file server."""
    found: dict[str, str] = {}
    for text in _texts(contents):
        plain = _COMMENT.sub("", text)
        other = [block for path, block in _LOCATION.findall(plain) if path != "/"]
        for block in other:
            plain = plain.replace(block, "")
        bare = ((name, value[1:-1] if value[0] in "\"'" else value) for name, value in _HEADER.findall(plain))
        given = ((name, " ".join(value.split())) for name, value in bare)
        known = ((n, v) for n, v in given if v and "$" not in v and v.isascii())
        found |= {n: v for n, v in known if not _OWN_HEADERS.fullmatch(n.lower())}
    return found


def find_unserved(contents: Contents) -> tuple[str, ...]:
    """What an image's file server does that that of bake's images does not."""
    plain = "\n".join(_COMMENT.sub("", text) for text in _texts(contents))
    named = dict.fromkeys(re.sub(r"\s+", " ", name) for name in _DIRECTIVE.findall(plain))
    scripts = [c.source for c in contents.copied if c.stage is None and _STARTED.match(c.place)]
    does = (f"`{name}`" for name in named)
    return (
        *(
            (f"Production's file server has {', '.join(does)}: that of bake's images does none of it.",)
            if named
            else ()
        ),
        *(
            f"Production's image runs {name} before it serves: bake's images hold the files as built."
            for name in scripts
        ),
    )


def _texts(contents: Contents) -> tuple[str, ...]:
    """The configuration of an image's file server."""
    return tuple(dict.fromkeys((*_copied(contents), *contents.stage.written.values())))


def find_served(contents: Contents) -> tuple[tuple[str, str], ...]:
    """Where what an image's file server serves is built: the package's path, and the folder in it."""
    return tuple(dict.fromkeys((*served_folders(contents), *_roots(contents))))


def _roots(contents: Contents) -> Iterator[tuple[str, str]]:
    """Folders that a configuration names and a build of a package makes."""
    for text in _texts(contents):
        for place in _ROOT.findall(_COMMENT.sub("", text)):
            found = contents.origin(place)
            package = contents.facts.owner(found) if found else None
            if found and package and package.path and found != package.path and not contents.exists(found):
                yield package.path, found.removeprefix(f"{package.path}/")


def _copied(contents: Contents) -> Iterator[str]:
    for copied in contents.copied:
        origin = contents.origin(copied.place) if copied.stage is None else None
        for path, text in contents.facts.deployed.items() if origin else ():
            if path == origin or (path.startswith(f"{origin}/") and _CONFIGURED.search(path)):
                yield text


_CADDY_BLOCK = re.compile(
    r"^\s*handle(?P<strips>_path)?\s+(?P<path>/\S*)\s*\{[^{}]*?\breverse_proxy\s+(?P<to>[^\s{]+)", re.M
)
_CADDY_LINE = re.compile(r"^\s*reverse_proxy\s+(?P<path>/\S*)\s+(?P<to>[^\s{]+)", re.M)


def _parse_caddy(text: str, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Source: caddyserver.com/docs/caddyfile/directives/reverse_proxy."""
    plain = re.sub(r"\{\$(\w+)(?::([^{}]*))?\}", lambda m: env.get(m[1], m[2] or "$"), _COMMENT.sub("", text))
    for found in (*_CADDY_BLOCK.finditer(plain), *_CADDY_LINE.finditer(plain)):
        path, to = found["path"].rstrip("*"), found["to"]
        url = f"{to if '://' in to else f'http://{to}'}{'/' if found.groupdict().get('strips') else ''}"
        yield path, url if _URL.fullmatch(url) and not _OWN.match(url) else ""


def _parse_proxies(text: str, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    plain = _COMMENT.sub("", text)
    servers = dict(_UPSTREAM.findall(plain))
    for path, block in _LOCATION.findall(plain):
        for url in _PASS.findall(block):
            found = _URL.fullmatch(substitute(url, env))
            plain = f"{found[1]}{servers.get(found[2], found[2])}{found[3]}" if found else ""
            yield path, plain if _URL.fullmatch(plain) and not _OWN.match(plain) else ""
