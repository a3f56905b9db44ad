"""What platforms' files say about processes: Kubernetes, Render, Fly, Railway, Nixpacks, workflows. Pure."""

import json
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bake.errors import WorkspaceError
from bake.evidence.dockerfiles import asked_path
from bake.files import parse_documents, parse_yaml, table, words
from bake.shell import parse_line, plain_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One process as a platform starts it.

    name: what the file calls it. line: the text of its command, words: its command as a list; neither where the
    image's own stands. dockerfile: what it is built from, "" when that is not said. folder: where it starts.
    """

    source: str
    name: str = ""
    line: str = ""
    words: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    """What follows the image's own entrypoint."""
    build: str = ""
    folder: str = ""
    dockerfile: str = ""
    port: int | None = None
    health: str = ""
    image: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    """Variables whose values stand elsewhere."""
    node: str = ""
    configs: tuple[str, ...] = ()
    """ConfigMaps that its variables come from."""
    schedule: str = ""
    """When it runs, as cron says it."""
    once: bool = False
    """Whether it ends by itself."""
    static: str = ""
    """The folder that the platform serves, from the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A `docker build` that a script or a workflow runs. context: "" for the root, None where it is not said."""

    source: str
    dockerfile: str
    target: str = ""
    context: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


def parse_deployment(path: str, text: str, values: str = "", chart: str = "") -> tuple[Deployed, ...]:
    """The processes that a platform's file names; () for any other file.

    values, chart: texts of values.yaml and Chart.yaml of the Helm chart that it is in.
    """
    name = posixpath.basename(path)
    if name in {"render.yaml", "render.yml"}:
        return tuple(_render(path, text))
    if re.fullmatch(r"fly(?:\.[\w-]+)*\.toml", name):
        return tuple(_fly(path, text))
    if name in {"heroku.yml", "heroku.yaml"}:
        return tuple(_heroku(path, text))
    if name in {"app.yaml", "app.yml"} and path.startswith(".do/"):
        return tuple(_digitalocean(path, text))
    if re.fullmatch(r"[\w.-]*task-?def[\w.-]*\.json", name):
        return tuple(_ecs(path, text))
    if re.fullmatch(r"railway\.(?:toml|json)", name) or name == "nixpacks.toml":
        return tuple(_railway(path, text))
    if not name.endswith((".yaml", ".yml")):
        return ()
    return tuple(_kubernetes(path, _rendered(path, text, _yaml(values), _yaml(chart))))


def _yaml(text: str) -> Mapping[str, Any]:
    try:
        return parse_yaml(text, "")
    except WorkspaceError:
        return {}


def _toml(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _tables(value: object) -> Iterator[Mapping[str, Any]]:
    """The tables of a list; none of what is no list."""
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _number(value: object) -> int | None:
    return plain_number(str(value)) or None


def _rooted(place: object) -> str:
    """A path that a platform's file names, from the root."""
    plain = posixpath.normpath(str(place).lstrip("/"))
    return "" if plain == "." else plain


def _render(path: str, text: str) -> Iterator[Deployed]:
    """Source: render.com/docs/blueprint-spec."""
    for service in _tables(_yaml(text).get("services")):
        runtime = service.get("runtime", service.get("env", "node"))
        if service.get("type") not in ("web", "pserv", "worker", "cron", "static"):
            continue
        if runtime not in ("node", "docker", "static"):
            continue
        variables = (v for v in _tables(service.get("envVars")) if "value" in v)
        env = {str(v.get("key")): str(v["value"]) for v in variables}
        docker = service.get("dockerfilePath") or ("Dockerfile" if runtime == "docker" else "")
        published = posixpath.join(str(service.get("rootDir") or ""), str(service.get("staticPublishPath") or ""))
        yield Deployed(
            source=f"{path}: {service.get('name', '')}",
            name=str(service.get("name", "")),
            line=str(service.get("startCommand") or service.get("dockerCommand") or ""),
            build=str(service.get("buildCommand") or ""),
            folder=_rooted(service.get("rootDir") or "."),
            dockerfile=_rooted(docker) if docker else "",
            health=str(service.get("healthCheckPath") or ""),
            node=env.get("NODE_VERSION", ""),
            env=env,
            unset=tuple(_without_value(service.get("envVars"), "key")),
            schedule=str(service.get("schedule") or ""),
            static=_rooted(published) if "static" in (runtime, service.get("type")) else "",
        )


def _fly(path: str, text: str) -> Iterator[Deployed]:
    """Source: fly.io/docs/reference/configuration."""
    config = _toml(text)
    folder = posixpath.dirname(path)
    http = next((s for s in (table(config, "http_service"), *_tables(config.get("services"))) if s), {})
    checks = [*_tables(http.get("checks")), *_tables(http.get("http_checks")), *table(config, "checks").values()]
    health = next((str(c["path"]) for c in checks if isinstance(c, dict) and "path" in c), "")
    build, env = table(config, "build"), table(config, "env")
    docker = str(build.get("dockerfile", ""))
    first = Deployed(
        source=path,
        name=str(config.get("app", "")),
        folder=folder,
        dockerfile=posixpath.normpath(posixpath.join(folder, docker)) if docker else "",
        port=_number(http.get("internal_port", env.get("PORT", ""))),
        health=health,
        image=str(build.get("image", "")),
        env={str(n): str(v) for n, v in env.items()},
    )
    if release := table(config, "deploy").get("release_command"):
        yield replace(first, source=f"{path}: release_command", name="release", line=str(release), once=True)
    processes = table(config, "processes")
    for name, line in processes.items():
        own = name in {"app", "web"} or len(processes) == 1 or name in words(http.get("processes"))
        yield Deployed(
            source=f"{path}: {name}",
            name=str(name),
            line=str(line),
            folder=folder,
            dockerfile=first.dockerfile,
            port=first.port if own else None,
            health=health if own else "",
            env={n: v for n, v in first.env.items() if own or n != "PORT"},
        )
    if not processes:
        yield first


def _railway(path: str, text: str) -> Iterator[Deployed]:
    """Source: docs.railway.com/reference/config-as-code, nixpacks.com/docs/configuration/file."""
    try:
        config = json.loads(text) if path.endswith(".json") else _toml(text)
    except ValueError:
        return
    if not isinstance(config, dict):
        return
    deploy, build = table(config, "deploy"), table(config, "build")
    line = deploy.get("startCommand") or table(config, "start").get("cmd") or ""
    docker = build.get("dockerfilePath", "")
    if line or docker or deploy.get("healthcheckPath"):
        yield Deployed(
            source=path,
            line=str(line),
            build=str(build.get("buildCommand", "")),
            folder=posixpath.dirname(path),
            dockerfile=_rooted(docker) if docker else "",
            health=str(deploy.get("healthcheckPath", "")),
            schedule=str(deploy.get("cronSchedule", "")),
        )


def _heroku(path: str, text: str) -> Iterator[Deployed]:
    """Source: devcenter.heroku.com/articles/build-docker-images-heroku-yml."""
    config = _yaml(text)
    images = table(table(config, "build"), "docker")
    run, release = table(config, "run"), table(config, "release")
    for name, given in {**dict.fromkeys(images), **run, **({"release": release} if release else {})}.items():
        row = given if isinstance(given, dict) else {"command": given}
        line = " ".join(words(row.get("command")))
        docker = str(images.get(str(row.get("image") or name), ""))
        yield Deployed(
            source=f"{path}: {name}", name=str(name), line=line, dockerfile=_rooted(docker) if docker else "",
            once=name == "release",
        )  # fmt: skip


def _digitalocean(path: str, text: str) -> Iterator[Deployed]:
    """Source: docs.digitalocean.com/products/app-platform/reference/app-spec."""
    config = _yaml(text)
    for kind in ("services", "workers", "jobs", "static_sites"):
        for row in _tables(config.get(kind)):
            name, docker = str(row.get("name", "")), str(row.get("dockerfile_path") or "")
            variables = [v for v in _tables(row.get("envs")) if v.get("type") != "SECRET" and "value" in v]
            yield Deployed(
                source=f"{path}: {name}",
                name=name,
                line=str(row.get("run_command") or ""),
                build=str(row.get("build_command") or ""),
                folder=_rooted(row.get("source_dir") or "."),
                dockerfile=_rooted(docker) if docker else "",
                port=_number(row.get("http_port", "")) if kind == "services" else None,
                health=str(table(row, "health_check").get("http_path") or ""),
                env={str(v.get("key")): str(v["value"]) for v in variables},
                unset=tuple(str(v.get("key")) for v in _tables(row.get("envs")) if v not in variables),
                once=kind == "jobs",
                static=_published(row) if kind == "static_sites" else "",
            )


def _published(row: Mapping[str, Any]) -> str:
    return _rooted(posixpath.join(str(row.get("source_dir") or "").strip("/"), str(row.get("output_dir") or "dist")))


def _ecs(path: str, text: str) -> Iterator[Deployed]:
    """Source: docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html."""
    try:
        config = json.loads(text)
    except ValueError:
        return
    for row in _tables(config.get("containerDefinitions")) if isinstance(config, dict) else ():
        check = table(row, "healthCheck").get("command")
        mapped = next(_tables(row.get("portMappings")), {})
        valued = tuple((str(v.get("name")), str(v.get("value", ""))) for v in _tables(row.get("environment")))
        given, before = words(row.get("command")), words(row.get("entryPoint"))
        yield Deployed(
            source=f"{path}: {row.get('name', '')}",
            name=str(row.get("name", "")),
            words=(*before, *given) if before else (),
            arguments=() if before else given,
            port=_number(mapped.get("containerPort", "")),
            health=asked_path(" ".join(words(check))),
            image=str(row.get("image", "")),
            env=dict(valued),
            unset=tuple(str(v.get("name")) for v in _tables(row.get("secrets"))),
        )


_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet"})
_KINDS = re.compile(rf"^kind:\s*(?:{'|'.join(sorted(_WORKLOADS))})\b", re.M)


def _kubernetes(path: str, text: str) -> Iterator[Deployed]:
    """Containers of the workloads in a manifest."""
    if not _KINDS.search(text):
        return
    try:
        documents = parse_documents(text, path)
    except WorkspaceError:
        return
    for document in documents:
        if str(document.get("kind")) in _WORKLOADS:
            yield from _workload(path, document)


def _workload(path: str, document: Mapping[str, Any]) -> Iterator[Deployed]:
    spec = table(document, "spec")
    inner = table(table(spec, "jobTemplate"), "spec") or spec
    pod = table(table(inner, "template"), "spec") or inner
    name = _named(table(document, "metadata").get("name", ""))
    containers = tuple(_tables(pod.get("containers")))
    for container in containers:
        found = _container(path, name, container, alone=len(containers) == 1)
        yield replace(found, schedule=str(spec.get("schedule") or ""), once=document["kind"] == "Job")


def _named(name: object) -> str:
    """A name without what a template puts around it: a release's, a chart's."""
    return re.sub(r"^TEMPLATE-|-TEMPLATE$", "", str(name))


def _container(path: str, workload: str, container: Mapping[str, Any], *, alone: bool) -> Deployed:
    own = _named(container.get("name", "")) or workload
    name = workload if workload and "TEMPLATE" not in workload and (alone or "TEMPLATE" in own) else own
    probes = [table(table(container, p), "httpGet") for p in ("livenessProbe", "readinessProbe", "startupProbe")]
    asked = [p for p in probes if "TEMPLATE" not in str(p.get("path", "TEMPLATE"))]
    probe = next(iter(asked), {})
    ports = {str(p.get("name", "")): _number(p.get("containerPort", "")) for p in _tables(container.get("ports"))}
    command, arguments = (container.get(key) or () for key in ("command", "args"))
    known = all(isinstance(w, str) and "TEMPLATE" not in w for w in (*command, *arguments))
    probed = str(probe.get("port", ""))
    return Deployed(
        source=f"{path}: {name}",
        name=name,
        words=(*command, *arguments) if known and command else (),
        arguments=tuple(arguments) if known and not command else (),
        port=ports.get(probed) or _number(probed) or next(iter(ports.values()), None),
        health=str(probe.get("path", "")),
        image=str(container.get("image", "")),
        env=dict(_valued(container.get("env"))),
        unset=tuple(_without_value(container.get("env"), "name")),
        configs=tuple(_configs_of(container)),
    )


def _configs_of(container: Mapping[str, Any]) -> Iterator[str]:
    for row in _tables(container.get("envFrom")):
        if name := table(row, "configMapRef").get("name"):
            yield _named(name)


def parse_configs(path: str, text: str, values: str = "") -> Mapping[str, Mapping[str, str]]:
    """Variables of the ConfigMaps that a manifest, or a kustomization's `literals`, makes; by name."""
    if not re.search(r"^kind:\s*ConfigMap\b|^configMapGenerator:", text, re.M):
        return {}
    try:
        documents = parse_documents(_rendered(path, text, _yaml(values)), path)
    except WorkspaceError:
        return {}
    found: dict[str, Mapping[str, str]] = {}
    for document in documents:
        if document.get("kind") == "ConfigMap":
            data = {str(n): str(v) for n, v in table(document, "data").items() if "TEMPLATE" not in str(v)}
            found[_named(table(document, "metadata").get("name", ""))] = data
        for row in _tables(document.get("configMapGenerator")):
            pairs = (each.partition("=") for each in words(row.get("literals")))
            found[str(row.get("name", ""))] = {name: value for name, _, value in pairs}
    return found


def _valued(rows: object) -> Iterator[tuple[str, str]]:
    """The variables of a container whose values stand in the manifest itself."""
    for row in _tables(rows):
        value = str(row.get("value", ""))
        if value and "TEMPLATE" not in value and "$(" not in value:
            yield str(row.get("name", "")), value


def _without_value(rows: object, key: str) -> Iterator[str]:
    for row in _tables(rows):
        known = "TEMPLATE" not in str(row.get(key, "TEMPLATE"))
        if known and re.search(r"TEMPLATE|\$\(", str(row.get("value", "TEMPLATE"))):
            yield str(row[key])


# --- Helm -----------------------------------------------------------------------------------------------------

_COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.S)
_WHOLE = re.compile(r"^(?P<indent>[ \t]*)\{\{-?\s*(?P<inside>[^{}]*?)\s*-?\}\}[ \t]*$\n?", re.M)
_PART = re.compile(r"\{\{-?\s*([^{}]*?)\s*-?\}\}")
_WITH = re.compile(
    r"\{\{-?\s*with\s+\$?\.Values\.(?P<key>[\w.]+)\s*-?\}\}"
    r"(?P<body>(?:(?!\{\{-?\s*(?:if|with|range)\b).)*?)\{\{-?\s*end\s*-?\}\}",
    re.S,
)
_VALUE = re.compile(r"(?:^|[\s(])\$?\.Values\.([\w.]+)")
_DEFAULT = re.compile(r"\bdefault\s+(?:\"([^\"]*)\"|'([^']*)'|(\d+))")


def _rendered(path: str, text: str, values: Mapping[str, Any], about: Mapping[str, Any] | None = None) -> str:
    """A Helm template with its chart's own values; what they do not tell is the word TEMPLATE.

    Source: helm.sh/docs/chart_template_guide.
    """
    if "{{" not in text:
        return text
    chart = str((about or {}).get("name") or posixpath.basename(path.partition("/templates/")[0]))
    text = _WITH.sub(_scoped, text)

    def whole(found: re.Match[str]) -> str:
        listed = found["inside"].startswith("toYaml") and (value := _value(found["inside"], values)) is not None
        return f"{found['indent'] or ' '}{json.dumps(value)}\n" if listed else ""

    def part(found: re.Match[str]) -> str:
        if found[1] in {".Chart.Name", "$.Chart.Name"}:
            return chart
        value = _value(found[1], values)
        if value is None:
            return "TEMPLATE"
        return value if isinstance(value, str) and "toJson" not in found[1] else json.dumps(value)

    return _PART.sub(part, _WHOLE.sub(whole, _COMMENT.sub("", text)))


def _scoped(found: re.Match[str]) -> str:
    """The body of a `with`, whose dot is a value."""
    return re.sub(r"(?<=[\s(])\.(?=[\s)|]|(?!Values|Chart|Release)\w)", f".Values.{found['key']}.", found["body"])


def _value(expression: str, values: Mapping[str, Any]) -> Any:
    """What an expression is by the chart's values, None when they do not tell."""
    if named := _VALUE.search(expression):
        value: Any = values
        for key in filter(None, named[1].split(".")):
            value = value.get(key) if isinstance(value, dict) else None
        if value not in (None, ""):
            return value
    default = _DEFAULT.search(expression) if named else None
    return next(filter(None, default.groups()), None) if default else None


# --- docker build ---------------------------------------------------------------------------------------------


def parse_builds(source: str, text: str, folder: str = "") -> Iterator[Build]:
    """Each `docker build` of a script's or a workflow's text."""
    for line in re.findall(r"docker\s+(?:buildx\s+|image\s+)?build\b(?:[^\n\\]|\\\n?)*", text):
        for step in parse_line(re.sub(r"\\\n", " ", line.replace("\\n", " ").rstrip("\\\"',")))[:1]:
            yield _docker_build(source, step.words, folder)


def parse_targets(path: str, text: str) -> Iterator[Build]:
    """The targets of a file of docker buildx bake. Source: docs.docker.com/build/bake/reference."""
    targets = _json_targets(text) if path.endswith(".json") else dict(_hcl_targets(text))
    for name in targets:
        found = _inherited(name, targets, 5)
        context, file = (
            str(found.get(key) or plain) for key, plain in (("context", "."), ("dockerfile", "Dockerfile"))
        )
        place = posixpath.normpath(context)
        args = table(found, "args")
        if "$" not in place + file and "://" not in place and not name.startswith("_"):
            yield Build(
                source=f"{path}: {name}",
                dockerfile=posixpath.normpath(posixpath.join(place, file)),
                target=str(found.get("target") or ""),
                context="" if place == "." else place,
                args={n: v for n, v in args.items() if isinstance(v, str) and "$" not in v},
            )


def _json_targets(text: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        config = json.loads(text)
    except ValueError:
        return {}
    return {n: t for n, t in table(config, "target").items() if isinstance(t, dict)} if isinstance(config, dict) else {}


_TARGET = re.compile(r'^target\s+"([^"]+)"\s*\{(.*?)^\}', re.M | re.S)
_TEXT_KEY = re.compile(r'^\s*"?(\w+)"?\s*[=:]\s*"([^"\n]*)"', re.M)


def _hcl_targets(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, body in _TARGET.findall(re.sub(r"(?m)^\s*(?:#|//).*$", "", text)):
        args = re.search(r"\bargs\s*=\s*\{(.*?)\}\s*$", body, re.M | re.S)
        listed = re.search(r"\binherits\s*=\s*\[([^\]]*)\]", body)
        plain = body.replace(args[0], "") if args else body
        given = dict(_TEXT_KEY.findall(args[1].replace(",", "\n"))) if args else {}
        below = re.findall(r'"([^"]+)"', listed[1]) if listed else []
        yield name, {**dict(_TEXT_KEY.findall(plain)), "args": given, "inherits": below}


def _inherited(name: str, targets: Mapping[str, Mapping[str, Any]], depth: int) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    own = targets.get(name, {})
    for below in words(own.get("inherits")) if depth else ():
        found |= _inherited(below, targets, depth - 1)
    return {**found, **own, "args": {**table(found, "args"), **table(own, "args")}}


_PLAIN_FLAGS = frozenset({"--push", "--load", "--no-cache", "--pull", "-q", "--quiet", "--rm", "--force-rm"})


def _docker_build(source: str, words: tuple[str, ...], folder: str) -> Build:
    given: dict[str, str] = {}
    args: dict[str, str] = {}
    context = "."
    pending = list(words[words.index("build") + 1 :])
    while pending:
        option, equals, value = pending.pop(0).partition("=")
        if not option.startswith("-"):
            context = option
        elif option not in _PLAIN_FLAGS:
            value = value if equals else pending.pop(0) if pending else ""
            name, _, argument = value.partition("=")
            args |= {name: argument} if option == "--build-arg" else {}
            given[option] = value
    place = posixpath.normpath(posixpath.join(folder, context))
    file = given.get("-f") or given.get("--file")
    known = "$" not in place
    dockerfile = posixpath.normpath(posixpath.join(folder, file) if file else posixpath.join(place, "Dockerfile"))
    return Build(
        source=source,
        dockerfile=dockerfile,
        target=given.get("--target", ""),
        context=("" if place == "." else place) if known else None,
        args={n: v for n, v in args.items() if "$" not in v},
    )


def parse_workflow(path: str, text: str) -> Iterator[Build]:
    """What a GitHub workflow builds: docker/build-push-action with its matrix, and `docker build` in its steps."""
    for job in table(_yaml(text), "jobs").values():
        if not isinstance(job, dict):
            continue
        for step in _tables(job.get("steps")):
            if "build-push-action" in str(step.get("uses", "")):
                yield from _pushed(path, table(step, "with"), tuple(_matrix(job)))
            for row in tuple(_matrix(job)) or ({},):
                script, place = (_matched(str(step.get(key, "")), row) for key in ("run", "working-directory"))
                yield from parse_builds(path, script, place)


def _matrix(job: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """The rows of a matrix: its `include`, or each value of its lists."""
    matrix = table(table(job, "strategy"), "matrix")
    for row in _tables(matrix.get("include")):
        yield {str(k): str(v) for k, v in row.items()}
    for key, values in matrix.items():
        for value in values if isinstance(values, list) and key != "include" else ():
            if isinstance(value, dict):
                yield {f"{key}.{k}": str(v) for k, v in value.items()}
            else:
                yield {str(key): str(value)}


_EXPRESSION = re.compile(r"\$\{\{\s*matrix\.([\w.-]+)\s*\}\}")


def _matched(text: str, row: Mapping[str, str]) -> str:
    return _EXPRESSION.sub(lambda m: row.get(m[1], m[0]), text)


def _pushed(path: str, given: Mapping[str, Any], rows: tuple[Mapping[str, str], ...]) -> Iterator[Build]:
    for row in rows or ({},):

        def filled(key: str, row: Mapping[str, str] = row) -> str:
            return _matched(str(given.get(key) or ""), row)

        context = filled("context") or "."
        file = filled("file") or posixpath.join(context, "Dockerfile")
        args = (line.partition("=")[::2] for line in filled("build-args").splitlines())
        place = posixpath.normpath(context)
        if "${{" not in file:
            yield Build(
                source=path,
                dockerfile=posixpath.normpath(file),
                target=filled("target") if "${{" not in filled("target") else "",
                context=("" if place == "." else place) if "${{" not in place else None,
                args={n.strip(): v.strip() for n, v in args if n.strip() and "${{" not in v},
            )
