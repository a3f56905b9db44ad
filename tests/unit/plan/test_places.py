"""Folders and files of odd names: where processes start, what links lead to, what own commands become."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import pytest

from bake.inputs import load_contents, load_inputs
from bake.plan import Plan, Request, make_plan
from bake.project import load_project
from bake.render import render


def planned(root: Path, path: str, manifest: dict[str, object], settings: str) -> Plan:
    """The only service, of the package at a path."""
    manifest = {"name": "app", "version": "1.0.0", **manifest}
    (root / path).mkdir(parents=True)
    (root / path / "package.json").write_text(json.dumps(manifest))
    (root / "package.json").write_text(json.dumps({"name": "w", "workspaces": [path]}))
    packages = {"": {"name": "w", "workspaces": [path]}, path: manifest}
    packages["node_modules/app"] = {"resolved": path, "link": True}
    (root / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    (root / "bake.toml").write_text(f'[project]\nname = "w"\n[services.a]\npackage = "{path}"\n{settings}')
    return make_plan(load_project(root / "bake.toml", {}), Request())


def test_a_folder_whose_name_begins_with_a_dot_keeps_it(tmp_path: Path) -> None:
    settings = (
        'directory = "./.apps"\ncommand = "node x.js"\nwritable = ["/srv/x/data"]\nlinks = { "/srv/x" = ".apps/" }'
    )
    plan = planned(tmp_path, ".apps/app", {}, settings)
    (service,), (image,) = plan.services, plan.images
    assert (service.directory, image.directory, service.links) == (".apps", ".apps", {"/srv/x": ".apps"})
    assert image.writable == ("/app/.apps/data",)
    (output,) = plan.outputs
    assert (output.starts, output.links) == ((".apps",), {"/srv/x": ".apps"})


def test_own_commands_of_odd_names_stay_one_word_of_a_shell_s_line(tmp_path: Path) -> None:
    manifest: dict[str, object] = {"bin": {"tool": "bin/my \\1 $tool.js"}}
    plan = planned(tmp_path, "app", manifest, "command = 'sh -c \"exec tool run && tool\"'")
    assert plan.images[0].command == (
        "sh",
        "-c",
        "exec node 'bin/my \\1 $tool.js' run && node 'bin/my \\1 $tool.js'",
    )


@pytest.mark.parametrize("settings", ["", "[workspace]\ntrace = false\n"])
def test_an_image_is_another_one_when_a_link_or_what_it_leads_to_is(tmp_path: Path, settings: str) -> None:
    rows = ("{}", '{ "/opt/x" = "app" }', '{ "/opt/y" = "app" }', '{ "/opt/x" = "." }')
    found = set()
    for at, links in enumerate(rows):
        planned(tmp_path / str(at), "app", {}, f'command = "node x.js"\nlinks = {links}\n{settings}')
        project = load_project(tmp_path / str(at) / "bake.toml", {})
        found.add(load_contents(project, make_plan(project, Request()))["a"])
    assert len(found) == len(rows)


def test_an_all_in_one_image_has_the_files_of_a_context_whose_name_begins_with_a_dot(tmp_path: Path) -> None:
    old = '[monolith]\ndockerfile = ".old/Dockerfile"\ncontext = "./.old"\n'
    planned(tmp_path, "app", {}, f'command = "node x.js"\n{old}')
    (tmp_path / ".old").mkdir()
    for name in ("Dockerfile", "a.sh"):
        (tmp_path / ".old" / name).write_text("FROM scratch\n")
    project = load_project(tmp_path / "bake.toml", {})
    plan = dataclasses.replace(make_plan(project, Request()), targets=("monolith",))
    found = load_inputs(project, plan, render(project, plan))["monolith"].digests
    assert {"source .old/a.sh", "template .old/Dockerfile"} <= found.keys()


def test_a_start_script_that_no_shell_would_take_is_none(tmp_path: Path) -> None:
    plan = planned(tmp_path, "app", {"scripts": {"start": "node 'x"}, "main": "x.js"}, "")
    assert plan.images[0].command == ("node", "x.js")


def test_a_start_script_that_starts_nothing_is_none(tmp_path: Path) -> None:
    plan = planned(tmp_path, "app", {"scripts": {"start": "FOO=1"}, "main": "x.js"}, "")
    assert plan.images[0].command == ("node", "x.js")


def test_folders_of_odd_names_are_one_word_of_a_dockerfile(tmp_path: Path) -> None:
    planned(tmp_path, "a b/$x'y", {"scripts": {"build": "true"}}, 'command = "tsx x.js"\n')
    project = load_project(tmp_path / "bake.toml", {})
    lines = render(project, make_plan(project, Request()))["Dockerfile"].splitlines()
    assert lines.count("WORKDIR /app/a\\ b/\\$x\\'y") == 2
    assert "ENV PATH=/app/a\\ b/\\$x\\'y/node_modules/.bin:/app/node_modules/.bin:$PATH" in lines


def test_a_link_at_a_home_s_place_is_not_followed_while_it_leads_nowhere(tmp_path: Path) -> None:
    planned(tmp_path, "app", {}, 'command = "node x.js"\nlinks = { "/home/bob" = "." }\n')
    project = load_project(tmp_path / "bake.toml", {})
    text = render(project, make_plan(project, Request()))["Dockerfile"]
    homes = text[text.index("AS homes\n") : text.index("FROM scratch AS workspace")]
    script = " ".join(line for line in homes.splitlines()[1:] if not line.startswith("#")).replace("\\", "")
    done = script.removeprefix("RUN ").replace("/bake/out", str(tmp_path / "out"))
    subprocess.run(["sh", "-ec", done.replace("chown -h 1000:1000", f"chown -h {os.getuid()}")], check=True)
    assert (tmp_path / "out/a/home/bob").readlink() == Path("/app")
