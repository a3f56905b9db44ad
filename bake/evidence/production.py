"""The processes that production runs, as the repository's files say it, each placed in its package. Pure."""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bake.evidence.compose import ComposeService, base_of, parse_compose
from bake.evidence.contents import Contents, find_copies, foreign_folders, likely_contexts
from bake.evidence.deployments import (
    Build,
    Deployed,
    parse_builds,
    parse_configs,
    parse_deployment,
    parse_targets,
    parse_workflow,
)
from bake.evidence.dockerfiles import Copied, Stage, asked_path, asked_port, final_stages, heredocs, parse_dockerfile
from bake.evidence.entrypoints import read_script
from bake.evidence.facts import WorkspaceFacts
from bake.evidence.names import (
    is_beside,
    is_for_developers,
    is_setting,
    plain_name,
    plain_settings,
    slug,
    withheld_settings,
)
from bake.evidence.place import (
    HOMES,
    RUNS_FILES,
    Evidence,
    choices_of,
    entry_of,
    in_images,
    is_file_server,
    lies_of,
    place_command,
)
from bake.evidence.projects import find_projects
from bake.evidence.proxies import find_headers, find_proxies, find_served, find_unserved
from bake.shell import parse_call, plain_number, unwrap
from bake.sources import Program, Start, parse_programs
from bake.workspace import BUILD_ROOT, in_order


def find_evidence(facts: WorkspaceFacts) -> tuple[Evidence, ...]:
    """All that files say, the strongest first: compose files, Dockerfiles, supervisors, platforms."""
    builds = tuple(stated_builds(facts))
    stated = {b.dockerfile: b for b in reversed(builds)}
    images = [
        c for file, text in facts.deployed.items() if is_dockerfile(file) for c in _all_contents(facts, file, text)
    ]
    found = [*_composed(facts, images)]
    targets = {(b.dockerfile, b.target) for b in builds}
    files = [
        f for f in facts.deployed if is_dockerfile(f) and (f in stated or not (is_for_developers(f) or is_beside(f)))
    ]
    for file in sorted(files, key=lambda f: (f not in stated, posixpath.basename(f) != "Dockerfile", f)):
        asked = {(*b.args.items(), b.context): b for b in builds if b.dockerfile == file}
        for build in asked.values() or (None,):
            found += _of_dockerfile(facts, file, facts.deployed[file], build, targets)
    found += _supervised(facts, images)
    found += (_deployed(facts, images, d) for d in find_deployed(facts))
    projects = tuple(find_projects(facts))
    found = [_of_project(e, projects) for e in found]
    found = [e for e in found if not _is_unused(e, found)]
    said = {(e.package, e.start.words) for e in found}
    found += (p for p in projects if (p.package, p.start.words) not in said)
    return tuple(_distinct(_without_once(e) for e in found))


def _is_unused(evidence: Evidence, found: Sequence[Evidence]) -> bool:
    """Whether a Dockerfile's own command is one that everything that starts its image gives arguments."""
    own, entry = evidence.file and evidence.source.partition(":")[0] == evidence.file, entry_of(evidence.start.words)
    started = (e for e in found if e.file == evidence.file and e.source.partition(":")[0] != e.file)
    entries = [entry_of(e.start.words) for e in started if e.package == evidence.package] if own and entry else []
    return entry not in entries and any(e[: len(entry)] == entry for e in entries)


def _of_project(evidence: Evidence, projects: Iterable[Evidence]) -> Evidence:
    """What starts an application that nest-cli.json or Nx knows, by its file or by its folder: `node dist/apps/api`."""
    for project in projects:
        file = project.start.words[1]
        if evidence.package == project.package and evidence.start.words in {
            ("node", named) for named in (file, file.removesuffix(".js"), posixpath.dirname(file))
        }:
            start = replace(evidence.start, words=project.start.words)
            return replace(evidence, name=project.name, start=start, sources=project.sources)
    return evidence


def _without_once(evidence: Evidence) -> Evidence:
    """A process; of what ends by itself, only that it was seen."""
    once = evidence.name == "release" or is_once(evidence.name, evidence.start.words)
    if not evidence.start.words or evidence.schedule or not once:
        return evidence
    reason = f"`{' '.join(evidence.start.words)}` ends by itself; a role with `once = true` runs it"
    return replace(evidence, package=None, start=Start(reason=reason))


_ONCE = re.compile(
    r"(?:^|[^a-z])(?:migrat\w*|seed\w*|setup|bootstrap|install|backup|restore|init-\w+|init-db)(?:$|[^a-z])"
)


def is_once(name: str, words: Sequence[str]) -> bool:
    """Whether something ends when it has done its work: a migration, a seed."""
    first = posixpath.basename(words[0]) if words else ""
    commands = first in {"prisma", "drizzle-kit", "typeorm", "knex", "sequelize", "sequelize-cli", "node-pg-migrate"}
    files = (w for w in words if re.search(r"\.[cm]?[jt]s$", w))
    return bool(_ONCE.search(slug(name))) or commands or any(_ONCE.search(posixpath.basename(w)) for w in files)


def is_dockerfile(path: str) -> bool:
    """Whether a file is a Dockerfile by its name."""
    name = posixpath.basename(path)
    return bool(
        re.fullmatch(r"(?:Dockerfile|Containerfile)(?:[.-][\w.-]+)?|[\w.-]+\.(?:Dockerfile|Containerfile)", name)
    ) and not name.endswith((".dockerignore", ".md", ".sh", ".j2", ".tmpl"))


def _distinct(found: Iterable[Evidence]) -> Iterator[Evidence]:
    """Each process once, with what weaker files add to it."""
    rows = [*found]
    chosen = {(key, choice) for each in rows if (key := _key(each)) and (choice := _choices(each))}
    known: dict[tuple[object, ...], Evidence] = {}
    for each in rows:
        choices = sorted(choice for key, choice in chosen if key == _key(each))
        # Who does not choose adds to the first of those that do.
        key = (*_key(each), *(_choices(each) or (choices[0] if choices else ())))
        first = known.get(key)
        known[key] = _joined(first, each) if first else each
    yield from known.values()


def _key(evidence: Evidence) -> tuple[object, ...]:
    if evidence.package is None or not (evidence.start.words or evidence.static):
        return evidence.source, evidence.name
    return evidence.package, evidence.static, entry_of(evidence.start.words) or evidence.source


def _choices(evidence: Evidence) -> tuple[str, ...]:
    return choices_of({**evidence.env, **dict(evidence.start.env)})


def _joined(one: Evidence, other: Evidence) -> Evidence:
    env = {**dict(other.start.env), **dict(one.start.env)}
    # A workload starts the image's own program with more options than the image does.
    more = bool(one.file) and other.source.partition(":")[0] != other.file and other.away == one.away
    more = more and {*one.start.words} < {*other.start.words} and other.start.words[:1] == one.start.words[:1]
    return replace(
        one,
        start=replace(one.start, words=(other if more else one).start.words, env=tuple(env.items())),
        command=(other if more else one).command,
        name=one.name or other.name,
        port=one.port or other.port,
        health=one.health or other.health,
        env=joined_settings(one, other),
        system=tuple(dict.fromkeys((*one.system, *other.system))),
        folders=tuple(dict.fromkeys((*one.folders, *other.folders))),
        tools=tuple(dict.fromkeys((*one.tools, *other.tools))),
        image=one.image or other.image,
        holds=tuple(dict.fromkeys((*one.holds, *other.holds))),
        schedule=one.schedule or other.schedule,
        links={**other.links, **one.links},
        copies=tuple(dict.fromkeys((*one.copies, *other.copies))),
        unset=tuple(dict.fromkeys((*one.unset, *other.unset))),
        told=told_by(one, other),
    )


def joined_settings(one: Evidence, other: Evidence) -> Mapping[str, str]:
    """What a process is told in both files; the port that the weaker one sets is not that of the other."""
    port = {"PORT"} if one.port and other.port != one.port else set()
    return {**{n: v for n, v in other.env.items() if n not in port}, **one.env}


def told_by(one: Evidence, other: Evidence) -> Mapping[str, str]:
    """Where a process's port and health stand, once another file adds what the first one lacks."""
    added = {
        "port": other.port and not one.port,
        "health": other.health and not one.health,
        "system": other.system and not one.system,
    }
    return {**one.told, **{key: other.told.get(key, other.source) for key, is_new in added.items() if is_new}}


# --- Dockerfiles ----------------------------------------------------------------------------------------------


def stated_builds(facts: WorkspaceFacts) -> Iterator[Build]:
    """Every build that scripts, workflows and compose files ask for."""
    for package in facts.workspace.everyone:
        for name, text in package.scripts.items():
            yield from parse_builds(f"{package.file('package.json')}: scripts.{name}", text, package.path)
    for path, text in facts.deployed.items():
        name = posixpath.basename(path)
        if path.startswith(".github/workflows/"):
            yield from parse_workflow(path, text)
        elif _BAKES.fullmatch(name):
            yield from parse_targets(path, text)
        elif _ASKS.search(path):
            yield from parse_builds(path, text)


_BAKES = re.compile(r"docker-bake(?:\.override)?\.(?:hcl|json)")
_ASKS = re.compile(
    r"(?:^|/)(?:\.gitlab-ci[\w.-]*\.ya?ml|\.circleci/.*|Makefile|Taskfile\.ya?ml|justfile|Jenkinsfile|[^/]*pipelines?\.ya?ml)$"
    r"|\.(?:sh|mk)$"
)
"""Files of other CI systems and of task runners, and scripts: what they hand to `docker build`."""


def _all_contents(facts: WorkspaceFacts, file: str, text: str) -> Iterator[Contents]:
    stages = parse_dockerfile(text)
    for at in final_stages(stages):
        yield Contents(facts=facts, stages=stages, at=at, context=likely_contexts(facts, file, stages)[0], file=file)


_PLAIN_STAGES = frozenset(
    {
        *("runner", "run", "runtime", "prod", "production", "final", "release", "deploy", "app", "base", "main"),
        *("server", "image", "default", "deps", "builder", "build", "stage", "node"),
    }
)


def _of_dockerfile(
    facts: WorkspaceFacts, file: str, text: str, build: Build | None, targets: set[tuple[str, str]]
) -> Iterator[Evidence]:
    stages = parse_dockerfile(text, build.args if build else {})
    ends = [s.name for s in stages]
    wanted = {ends.index(t) for f, t in targets if f == file and t in ends}
    for at in sorted({*final_stages(stages), *wanted}):
        stage = stages[at]
        alone = not wanted and len(final_stages(stages)) == 1
        if at not in wanted and not alone and is_for_developers(stage.name):
            continue
        last = at == len(stages) - 1
        name = stage.name if slug(stage.name) not in _PLAIN_STAGES else ""
        source = f"{file}: {stage.name}" if stage.name and not last else file
        stated = build.context if build else None
        contexts = likely_contexts(facts, file, stages) if stated is None else (stated,)
        yield from _of_stage(facts, stages, at, file, contexts, source, name or _suffix(file))


def _suffix(file: str) -> str:
    """What a Dockerfile's name says about its process: `Dockerfile.worker` is of the worker."""
    name = re.sub(r"^(?:Dockerfile|Containerfile)[.-]?|\.?(?:Dockerfile|Containerfile)$", "", posixpath.basename(file))
    return name if slug(name) not in {*_PLAIN_STAGES, "web-server"} else ""


def _of_stage(
    facts: WorkspaceFacts,
    stages: tuple[Stage, ...],
    at: int,
    file: str,
    contexts: Sequence[str],
    source: str,
    name: str,
    over: ComposeService | None = None,
) -> Iterator[Evidence]:
    """What one stage's image runs, in the first context in which that is a package's own."""
    results = []
    for context in contexts:
        contents = Contents(facts=facts, stages=stages, at=at, context=context, file=file)
        found = tuple(_of_image(contents, source, name, over))
        if found and all(_is_settled(facts, e) for e in found):
            yield from found
            return
        results.append(found)
    for evidence in next(filter(None, results), ()):
        foreign = evidence.package == "" and not stages[at].copied and not _is_likely(facts, evidence)
        reason = f"`{' '.join(evidence.start.words)}` is of {stages[at].image}"
        yield replace(evidence, package=None, start=Start(reason=reason)) if foreign else evidence


_OF_OTHERS = "is of a package that is none of the workspace's"


def _is_settled(facts: WorkspaceFacts, evidence: Evidence) -> bool:
    """Whether another context of a Dockerfile would tell no more of a process."""
    return (evidence.package is not None and _is_likely(facts, evidence)) or evidence.start.reason.endswith(_OF_OTHERS)


def _is_likely(facts: WorkspaceFacts, evidence: Evidence) -> bool:
    """Whether a process is of a member, or names something that the root itself has."""
    if evidence.package or not facts.workspace.packages or evidence.static:
        return True
    return bool(evidence.start.words) and _root_has(facts, evidence.start.words)


def _root_has(facts: WorkspaceFacts, words: Sequence[str]) -> bool:
    """Whether a file of the root itself is what a command runs, or what that is compiled from."""
    entry = entry_of(words)
    if words[0] not in RUNS_FILES or not entry:
        return words[0] in {"next", "nuxt"} or parse_call(words) is not None
    return any(entry_of(("node", path))[:1] == entry[:1] for path in facts.paths if not facts.owner(path).path)


def _of_image(contents: Contents, source: str, name: str, over: ComposeService | None) -> Iterator[Evidence]:
    """The process of an image, the several that it supervises, or the folder that it serves."""
    stage = contents.stage
    if over:
        entrypoint = over.entrypoint if over.entrypoint is not None else stage.entrypoint
        command = over.command if over.command is not None else () if over.entrypoint is not None else stage.command
        env = {**stage.env, **{n: v for n, v in over.env.items() if n == "PORT"}}
        stage = replace(stage, entrypoint=entrypoint, command=command, env=env)
        stage = replace(stage, workdir=over.directory or stage.workdir)
        told = replace(stage, env={**env, **over.env}, health=over.check or stage.health)
        contents = replace(
            contents, stages=(*contents.stages[: contents.at], told, *contents.stages[contents.at + 1 :])
        )
    aside = bool(over and over.aside)
    health = (over.health if over else "") or ("" if aside else _health(contents))
    if aside:
        stage = replace(stage, ports=())
    given, unset = plain_settings(over.env, over.peers) if over else ({}, ())
    own = {n: v for n, v in stage.env.items() if is_setting(n, v)}
    kept = tuple(dict.fromkeys(_kept(contents, over)))
    plain = Evidence(
        source=source,
        name=name,
        port=_port(stage, over),
        health=health,
        env={n: _kept_at(contents, v, kept) for n, v in {**own, **given}.items()},
        unset=tuple(dict.fromkeys((*unset, *(over.unset if over else ()), *withheld_settings(stage.env)))),
        system=stage.system,
        folders=kept,
        tools=stage.tools,
        entrypoint=over is None and _is_entrypoint(stage),
        image=stage.image,
        file=contents.file,
        holds=tuple(dict.fromkeys(_built(contents))),
        told=_told(contents, over),
        signal=_signal((over.signal if over else "") or stage.signal),
        init=bool(over and over.init) or not _INITS.isdisjoint(unwrap(stage.words).wrappers),
    )
    if is_file_server(stage) and (served := find_served(contents)):
        plain = replace(plain, env={}, system=(), proxy=find_proxies(contents))
        plain = replace(plain, headers=find_headers(contents), unserved=find_unserved(contents))
        yield from (replace(plain, package=p, static=f) for p, f in served)
        return
    if is_file_server(stage) and (foreign := next(foreign_folders(contents), "")):
        yield replace(plain, image="", start=Start(reason=f"{foreign} {_OF_OTHERS}"))
    elif stage.words and _has_no_node(stage):
        yield replace(plain, start=Start(reason=f"the image is {stage.image}, without Node"))
    elif not _starts_nothing(stage.words):
        found = (_at_home(contents, e) for e in place_command(contents, plain, stage.words, stage.workdir))
        yield from (replace(e, copies=tuple(_copies(contents, e))) for e in found)


def _copies(contents: Contents, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What a Dockerfile puts into a process's package, those that it needs, and where it starts."""
    own = [] if evidence.package is None else [evidence.package]
    places = {*in_order(own, contents.facts.workspace.all_needs), evidence.away}
    for source, target in dict.fromkeys(find_copies(contents) if own else ()):
        if contents.facts.owner(target).path in places:
            yield source, target


def _at_home(contents: Contents, evidence: Evidence) -> Evidence:
    """A process that starts in its package's folder, whatever its image calls that, with what it has there.

    What another package built lies there under a name of the image's own: a link has it there in bake's images too.
    """
    place, home = contents.stage.workdir, evidence.package
    if not home or evidence.away is not None or place == "/" or evidence.lies[0] not in {"", place}:
        return evidence
    above = contents.origin(posixpath.join(place, home))
    if above is not None and contents.exists(above):  # it starts above its package
        return evidence
    lies = (place, home)
    folders, env = evidence.folders, evidence.env
    if not evidence.lies[0]:
        folders = tuple(in_images(lies, folder) for folder in folders)
        env = {n: in_images(lies, v) if in_images(lies, v) in folders else v for n, v in env.items()}
    links = {in_images(lies, at): built for at, built in _built_elsewhere(contents, home)}
    plain = {at: built for at, built in links.items() if at != posixpath.join(BUILD_ROOT, built)}
    return replace(evidence, folders=folders, env=env, links={**evidence.links, **plain})


def _built_elsewhere(contents: Contents, home: str) -> Iterator[tuple[str, str]]:
    """Folders beside a process that another package's build makes."""
    for copied in contents.copied:
        origin = contents.origin(copied.place) if copied.stage is not None and not copied.one else None
        owner = contents.facts.owner(origin).path if origin else ""
        beside = copied.place.startswith(f"{contents.stage.workdir}/")
        if origin and beside and owner not in {"", home, origin} and not contents.exists(origin):
            yield copied.place, origin


def _is_entrypoint(stage: Stage) -> bool:
    """Whether arguments follow an image's command."""
    return bool(stage.entrypoint) and not stage.command and stage.entrypoint[:2] != ("sh", "-c")


_WITHOUT_NODE = re.compile(
    r"(?:^|/)(?:archlinux|alpine|debian|ubuntu|fedora|rockylinux|almalinux|amazonlinux|python|golang|rust|ruby|php"
    r"|openjdk|eclipse-temurin|maven|gradle|elixir|busybox)(?::|@|$)"
)


def _has_no_node(stage: Stage) -> bool:
    """Whether a system's or another language's image stays without Node and what it runs."""
    made = (*(r.text for r in stage.runs), *(c.source for c in stage.copied), *stage.words, *stage.env.values())
    return bool(_WITHOUT_NODE.search(stage.image)) and not re.search(r"(?i)node|npm|bun|nvm|volta|fnm", " ".join(made))


def _signal(given: str) -> str:
    """A signal by its name; "" for the usual one, and for what is none."""
    name = given if given.isdecimal() else f"SIG{given.upper().removeprefix('SIG')}" if given else ""
    return "" if name in {"SIGTERM", "15"} or not re.fullmatch(r"SIG[A-Z]+\d*|\d{1,2}", name) else name


_INITS = frozenset({"tini", "tini-static", "dumb-init", "catatonit"})


def _starts_nothing(words: Sequence[str]) -> bool:
    """Whether there is an init alone: an image that others are made from."""
    return bool(words) and posixpath.basename(words[0]) in _INITS and all(w.startswith("-") for w in words[1:])


def _told(contents: Contents, over: ComposeService | None) -> Mapping[str, str]:
    """Where an image's port and health stand, when that is its Dockerfile."""
    exposed = bool(contents.stage.ports) and not contents.stage.env.get("PORT")
    told = {"port": f"{contents.file}: EXPOSE"} if exposed else {}
    checked = bool(contents.stage.health) and not (over and over.check)
    return {**told, "health": f"{contents.file}: HEALTHCHECK"} if checked else told


def _built(contents: Contents) -> Iterator[str]:
    """Folders of the image that a build made in one package, each copied by its own name."""
    for copied in contents.copied:
        origin = contents.origin(copied.place) if copied.stage is not None and not copied.one else None
        if origin and not contents.exists(origin) and origin != contents.facts.owner(origin).path:
            yield origin


def _port(stage: Stage, over: ComposeService | None) -> int | None:
    given = (over.env.get("PORT", "") if over else "") or stage.env.get("PORT", "")
    known = plain_number(given)
    asked = asked_port(stage.health)
    # What the process itself is told to take, before what a proxy in front of it has.
    if known or (asked and asked in stage.ports):
        return known or asked
    return next(iter(stage.ports), None) or (over.port if over else None) or asked


def _kept(contents: Contents, over: ComposeService | None) -> Iterator[str]:
    """Folders that the process writes to; of the repository's, where bake's images have them."""
    lies = lies_of(contents, contents.stage.workdir)
    for folder in (*contents.stage.volumes, *(over.volumes if over else ()), *_given(contents)):
        if "node_modules" not in folder.split("/"):
            yield in_images(lies, folder.rstrip("/") or "/")


def _kept_at(contents: Contents, value: str, kept: Sequence[str]) -> str:
    """A variable's value; one that names a folder that is kept names it where bake's images have it."""
    place = in_images(lies_of(contents, contents.stage.workdir), value) if value.startswith("/") else value
    return place if any(f"{place}/".startswith(f"{folder}/") for folder in kept) else value


def _given(contents: Contents) -> Iterator[str]:
    """Folders that the image makes for its process, beside those of the system and of its own code."""
    for folder in contents.stage.folders:
        if not _SYSTEM_FOLDERS.match(folder) and folder != contents.stage.workdir and not _holds_code(contents, folder):
            yield folder


_OF_BUILDS = frozenset({"node_modules", "dist", "build", "out", "lib", ".next", ".output", "public"})


def _holds_code(contents: Contents, folder: str) -> bool:
    """Whether the repository or its build fills a folder; one that is only made is there to be written to."""
    copied = any(f"{c.place}/".startswith(f"{folder}/") for c in contents.copied)
    origin = contents.origin(folder)
    named = posixpath.basename(folder) in _OF_BUILDS or "/.next/" in folder
    return copied or (origin is not None and (named or contents.exists(origin)))


_SYSTEM_FOLDERS = re.compile(
    r"/(?:etc|usr|root|var/cache|var/lib/apt|tmp|bin|pnpm|prod|proc|run)(?:/|$)|/(?:app|opt)?$|/home(?:/[^/]+)?$"
)


def _health(contents: Contents) -> str:
    """The path that HEALTHCHECK asks for, also in the script that it runs."""
    check = re.sub(r"^(?:--\S+\s+)*CMD\s+", "", contents.stage.health)
    if not check or (path := asked_path(check)):
        return asked_path(check) if check else ""
    words = re.findall(r"[^\s\"',\[\]]+", check)
    texts = (contents.text(posixpath.join(contents.stage.workdir, w)) for w in words if re.search(r"\.\w+$", w))
    return next((path for text in texts if text and (path := asked_path(text))), "")


# --- compose files --------------------------------------------------------------------------------------------


def is_compose(path: str) -> bool:
    """Whether a file is one of compose, or of a swarm's stack, by its name."""
    return bool(re.search(r"compose|(?:^|[-._])(?:stack|swarm)(?=[-._])", posixpath.basename(path)))


def find_composed(facts: WorkspaceFacts) -> Iterator[tuple[str, ComposeService]]:
    """Every service that compose files of production have, and its file."""
    texts = {path: text for path, text in facts.deployed.items() if is_compose(path)}
    files = [path for path in texts if not is_for_developers(path)]
    below = {base_of(path, texts) for path in files}
    for path in files:
        for service in parse_compose(path, facts.deployed) if path not in below else ():
            if not service.profiles or not all(map(is_for_developers, service.profiles)):
                yield path, service


_OF_TESTS = frozenset({"test", "tests", "e2e", "mock", "mocks", "fixtures"})
"""Folders of what stands in for others in tests."""


def _composed(facts: WorkspaceFacts, images: Sequence[Contents]) -> Iterator[Evidence]:
    for path, service in find_composed(facts):
        source = f"{path}: {service.name}"
        if service.develops or (service.built and not _OF_TESTS.isdisjoint(service.context.split("/"))):
            continue
        if service.built:
            yield from _of_service(facts, service, source)
        elif service.image and not is_others(service.image):
            yield _of_others_image(facts, images, service, source)


def _of_others_image(
    facts: WorkspaceFacts, images: Sequence[Contents], service: ComposeService, source: str
) -> Evidence:
    """A service whose image is built elsewhere, perhaps with a command of its own."""
    env, unset = plain_settings(service.env, service.peers)
    given, told = service.command or (), (*unset, *service.unset)
    deployed = Deployed(
        source=source,
        name=service.name,
        words=(*service.entrypoint, *given) if service.entrypoint else (),
        arguments=() if service.entrypoint else given,
        port=service.port,
        health=service.health,
        image=service.image,
        env=env,
    )
    return replace(_deployed(facts, images, deployed), folders=service.volumes, unset=told)


def _of_service(facts: WorkspaceFacts, service: ComposeService, source: str) -> Iterator[Evidence]:
    text = service.text or facts.deployed.get(service.dockerfile, "")
    stages = parse_dockerfile(text, service.args)
    named = [s.name for s in stages]
    if not stages and service.command:
        env, unset = plain_settings(service.env, service.peers)
        own = Evidence(
            source=source,
            name=service.name,
            port=service.port,
            health=service.health,
            env=env,
            unset=(*unset, *service.unset),
        )
        home = service.context or posixpath.dirname(service.dockerfile)
        yield from place_command(_repository(facts), own, service.command, posixpath.join("/", home))
    if not stages or is_for_developers(service.target) or (service.target and service.target not in named):
        return
    at = named.index(service.target) if service.target else len(stages) - 1
    yield from _of_stage(facts, stages, at, service.dockerfile, (service.context,), source, service.name, service)


_OTHERS = re.compile(
    r"(?:^|/)(?:postgres|mysql|mariadb|mongo|redis|valkey|rabbitmq|kafka|zookeeper|elasticsearch|opensearch|minio|nginx"
    r"|traefik|caddy|mailhog|mailpit|maildev|localstack|clickhouse|meilisearch|typesense|adminer|pgadmin|grafana|loki"
    r"|prometheus|jaeger|otel|vault|keycloak|node|alpine|busybox|chrome|chromium|browserless|memcached|nats|temporal)"
)


def is_others(image: str) -> bool:
    """Whether an image is one of the world's databases and tools, rather than of this repository."""
    return bool(_OTHERS.search(image))


# --- supervisors and platforms --------------------------------------------------------------------------------

_SUPERVISOR_FILES = re.compile(
    r"^Procfile(?!.*dev)|\.conf$|^(?:ecosystem|pm2)[\w.-]*\.(?:[cm]?js|json)$|^run$|^(?!.*\.config\.).*\.(?:[cm]?js|sh)$"
)


_CONTAINERS = re.compile(r"(?:^|[/._-])(?:docker|deploy\w*|containers?|supervisor\w*|infra|ops)(?:/|[._-][^/]*/)")
"""Folders of what runs in containers."""


def _supervised(facts: WorkspaceFacts, images: Sequence[Contents]) -> Iterator[Evidence]:
    """Programs of supervisors' files, those that Dockerfiles write among them."""
    for file, name, text in _supervisor_texts(facts):
        folder = "/" + posixpath.dirname(file) if name.startswith(("Procfile", "ecosystem", "pm2")) else "/"
        for program in _programs(file, name, text, folder):
            if posixpath.basename(next(iter(unwrap(program.words).words), "")) in {"nginx", "caddy"}:
                yield from _fronted(images, program, f"{file}: {program.name}")
            found = _anywhere(facts, images, program, f"{file}: {program.name}")
            # A script in a package is that package's, whatever image has a file of such a name.
            if found and (not name.endswith(".sh") or facts.owner(file).path in {"", found.package}):
                yield found


def _fronted(images: Sequence[Contents], program: Program, source: str) -> Iterator[Evidence]:
    """What a file server beside the processes of an image serves."""
    for contents in images:
        for package, folder in find_served(contents):
            proxy = find_proxies(contents)
            yield Evidence(source=source, name=program.name, package=package, static=folder, proxy=proxy)


def _supervisor_texts(facts: WorkspaceFacts) -> Iterator[tuple[str, str, str]]:
    for file, text in facts.deployed.items():
        name = posixpath.basename(file)
        if is_for_developers(file) or (name.endswith(".sh") and not _CONTAINERS.search(file)):
            continue
        if is_dockerfile(file):
            yield from (
                (file, posixpath.basename(p), t)
                for p, t in heredocs(text)
                if _SUPERVISOR_FILES.search(posixpath.basename(p))
            )
        elif _SUPERVISOR_FILES.search(name):
            yield file, name, text


def _programs(file: str, name: str, text: str, folder: str) -> Iterator[Program]:
    """Programs that a supervisor's file names; of s6 and runit, whose files are called `run`, one for each folder."""
    if name != "run" and not name.endswith(".sh"):
        yield from (p for p in parse_programs(name, text, folder) if p.name)
        return
    became = read_script(text)
    program = name if name != "run" else posixpath.basename(posixpath.dirname(file))
    for words in (*became.beside, became.words):
        if words:
            where = posixpath.join("/", became.directory)
            yield Program(name=program, words=words, directory=where, env=dict(became.env))


def _anywhere(facts: WorkspaceFacts, images: Sequence[Contents], program: Program, source: str) -> Evidence | None:
    """A program of a file that does not say in which image it runs: the first image in which a package has it."""
    env, unset = plain_settings(program.env)
    evidence = Evidence(source=source, name=plain_name(program.name), port=_number(env), env=env, unset=unset)
    own = _repository(facts)
    # Whoever reads a Procfile has the repository, and no image of it.
    for contents in (own, *images) if posixpath.basename(source).startswith("Procfile") else (*images, own):
        directory = program.directory if program.directory != "/" else contents.stage.workdir
        for found in place_command(contents, evidence, _marked(program.words, contents, directory), directory):
            if found.package is not None and (found.start.words or found.static) and _is_likely(facts, found):
                return found
    return None


def _number(env: Mapping[str, str]) -> int | None:
    return plain_number(env.get("PORT", "")) or None


def _marked(words: tuple[str, ...], contents: Contents, directory: str) -> tuple[str, ...]:
    """A command without a script in front that marks the lines of its log: `./prefix-output.sh node dist/x.js`."""
    marks = len(words) > 1 and words[0].endswith(".sh")
    marks = marks and posixpath.basename(words[1]) in {*RUNS_FILES, "npm", "pnpm", "yarn"}
    text = contents.text(posixpath.normpath(posixpath.join(directory, words[0]))) if marks else None
    return words[1:] if marks and (text is None or not read_script(text, words[1:]).passes) else words


def _repository(facts: WorkspaceFacts) -> Contents:
    """The repository itself, as what starts without an image has it; usual folders of images are its root."""
    stage = Stage(workdir="/", copied=tuple(Copied(place=home, source=".") for home in HOMES))
    return Contents(facts=facts, stages=(stage,), at=0, context="", file="")


def find_deployed(facts: WorkspaceFacts) -> Iterator[Deployed]:
    """Every process that platforms' files name, with the port that a ConfigMap of the repository sets for it."""
    files = [path for path in facts.deployed if not is_for_developers(path) and not is_compose(path)]
    configs: dict[str, Mapping[str, str]] = {}
    seen: set[str] = set()
    for path in (p for p in files if p.endswith((".yaml", ".yml"))):
        configs |= parse_configs(path, facts.deployed[path], _of_chart(facts, path, "values.yaml"))
    for path in files:
        told = (_of_chart(facts, path, file) for file in ("values.yaml", "Chart.yaml"))
        for deployed in parse_deployment(path, facts.deployed[path], *told):
            port = {n: v for name in deployed.configs for n, v in configs.get(name, {}).items() if n == "PORT"}
            # One that many share is told of at the first of them.
            others = tuple(f"those of the ConfigMap {name}" for name in deployed.configs if name not in seen)
            seen.update(deployed.configs)
            yield replace(deployed, env={**port, **deployed.env}, unset=(*deployed.unset, *others))


def _of_chart(facts: WorkspaceFacts, path: str, file: str) -> str:
    """A file of the Helm chart that another one is a template of."""
    chart, templates, _ = path.partition("/templates/")
    return facts.deployed.get(f"{chart}/{file}", "") if templates else ""


_SCHEDULED = re.compile(r"@(?:hourly|daily|weekly|monthly|yearly)|[\w*/,-]+(?: [\w*/,-]+){4}")


def _deployed(facts: WorkspaceFacts, images: Sequence[Contents], deployed: Deployed) -> Evidence:
    env, unset = plain_settings(deployed.env)
    timed = _SCHEDULED.fullmatch(schedule := " ".join(deployed.schedule.split()))
    plain = Evidence(
        source=deployed.source,
        name=deployed.name,
        port=None if schedule else _number(env) or deployed.port,
        health=deployed.health,
        image=deployed.image,
        env=env,
        unset=(*unset, *deployed.unset),
        schedule=schedule if timed else "",
    )
    if deployed.static:
        package = facts.owner(deployed.static).path
        return replace(plain, package=package, static=deployed.static.removeprefix(f"{package}/"), env={}, unset=())
    words = deployed.words or deployed.arguments or (("sh", "-c", deployed.line) if deployed.line else ())
    if not words:
        own = next((c for c in images if c.file == deployed.dockerfile), None) if deployed.dockerfile else None
        if own is None:
            return plain
        return next(iter(place_command(own, plain, own.stage.words, own.stage.workdir)), plain)
    places = [c for c in images if c.file == deployed.dockerfile] if deployed.dockerfile else []
    foreign = bool(deployed.arguments) and _is_foreign(facts, images, deployed.image)
    places += [] if deployed.line or foreign else images
    behind = bool(deployed.arguments or deployed.dockerfile)
    calls = [(c, (*(c.stage.entrypoint if behind else ()), *words)) for c in places]
    calls += [] if deployed.arguments else [(_repository(facts), words)]
    found = [
        e
        for c, call in calls
        for e in _placed_in(facts, c, plain, call, _begins(c, deployed, words), own=deployed.dockerfile == c.file)
    ]
    meant = _meant(facts, deployed)
    line = f"`{deployed.line or ' '.join(words)}`"
    if deployed.once or (schedule and not timed):
        how = "ends by itself; a role with `once = true` runs it" if deployed.once else "runs at times not told here"
        return replace(plain, image="" if found else plain.image, start=Start(reason=f"{line} {how}"))
    if found:
        return min(found, key=lambda e: (e.package != meant, not _has_source(facts, e)))
    if meant and not deployed.line:
        return next(iter(place_command(_repository(facts), plain, words, f"/{meant}")), plain)
    return replace(plain, start=Start(reason=f"{line} is of no package"))


def _is_foreign(facts: WorkspaceFacts, images: Sequence[Contents], image: str) -> bool:
    """Whether an image of Docker Hub has nothing of this repository in its name: its arguments are another's."""
    owner, slash, _ = image.partition("/")
    if not slash or "$" in image or "{" in image or "." in owner or ":" in owner:
        return False
    folders = (posixpath.dirname(c.file) for c in images)
    own = {facts.name, *(p.path for p in facts.workspace.packages), *folders}
    known = {word for name in own for word in slug(name.replace("/", "-")).split("-")}
    return known.isdisjoint(slug(image.partition(":")[0].replace("/", "-")).split("-"))


def _placed_in(
    facts: WorkspaceFacts, contents: Contents, plain: Evidence, words: tuple[str, ...], directory: str, *, own: bool
) -> Iterator[Evidence]:
    # What its image sets holds where a platform starts that, except for the port of another process.
    known = contents.stage.env.items() if contents.file else ()
    env = {**{n: v for n, v in known if n != "PORT" and is_setting(n, v)}, **plain.env} if own else plain.env
    for found in place_command(contents, replace(plain, env=env), words, directory):
        if found.package is not None and found.start.words and _is_likely(facts, found):
            yield found


def _begins(contents: Contents, deployed: Deployed, words: tuple[str, ...]) -> str:
    """Where a platform starts a command; one that names its own folder starts at the root."""
    if contents.file:
        return contents.stage.workdir
    rooted = deployed.folder and any(deployed.folder in (w, w[: len(deployed.folder)]) for w in " ".join(words).split())
    return "/" if rooted else posixpath.join("/", deployed.folder)


def _has_source(facts: WorkspaceFacts, evidence: Evidence) -> bool:
    """Whether its package has what the file of a command is compiled from."""
    entry = entry_of(evidence.start.words)[:1]
    sources = (f.sources for f in facts.packages if f.package.path == evidence.package)
    return any(entry_of(("node", path))[:1] == entry for paths in sources for path in paths)


def _meant(facts: WorkspaceFacts, deployed: Deployed) -> str:
    """The member that a workload's image or, where that tells nothing, its name means, "" for none or several."""
    image = slug(re.sub(r"[@:][^/]*$", "", deployed.image).rpartition("/")[2])
    project = f"{slug(facts.name)}-"
    members = {p.path: slug(posixpath.basename(p.path)) for p in facts.workspace.packages}
    for said in filter(None, (image, plain_name(deployed.name))):
        name = said.removeprefix(project)
        exact = [path for path, member in members.items() if member in {said, name}]
        part = [path for path, member in members.items() if name.startswith(f"{member}-")]
        part = part or [path for path, member in members.items() if name.endswith(f"-{member}")]
        if len(found := exact or part) == 1:
            return found[0]
    return ""
