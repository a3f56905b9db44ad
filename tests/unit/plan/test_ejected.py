"""Copies of templates come with a workspace: they are filled in, and can do nothing else."""

import dataclasses

import pytest

from bake.errors import WorkspaceError
from bake.plan import Cache, Plan, name_images
from bake.project import Project
from bake.render import render_bake_file, render_dockerfile


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("\n{{ lipsum.__globals__['os'].system('id') }}", ":2: access to attribute '__globals__' of 'function'"),
        ("{{ ''.__class__.__mro__ }}", ":1: access to attribute '__class__' of 'str'"),
        ("{{ plan.__class__ }}", ":1: access to attribute '__class__' of 'Plan'"),
        ("{{ '{0.__class__}'.format(plan) }}", ":1: access to attribute '__class__' of 'Plan'"),
        ("{{ stages.clear() }}", ":1: "),
        ("{{ 9 ** 9 ** 9 }}", ":1: templates cannot compute **"),
        ("{{ 'x' * 99999999999 }}", ":1: templates cannot compute *"),
        ("{% for i in range(999999999) %}{% endfor %}", ":1: Range too big"),
        ("{% include '/etc/passwd' %}", ":1: no loader for this environment specified"),
        ("\n\n{% if %}", ":3: Expected an expression"),
        ("{{ nothing }}", ":1: 'nothing' is undefined"),
        ("{{ 1 / 0 }}", ":1: division by zero (ZeroDivisionError)"),
    ],
)
def test_a_copy_that_wants_more_is_refused_with_its_line(
    example_project: Project, example_plan: Plan, template: str, words: str
) -> None:
    project = dataclasses.replace(example_project, ejected={"docker/Dockerfile": template})
    with pytest.raises(WorkspaceError) as caught:
        render_dockerfile(project, example_plan)
    assert str(caught.value).startswith(f".bake-templates/docker/Dockerfile{words}")
    assert str(caught.value).endswith("; see `bake eject --diff`")


def test_a_copy_of_the_bake_file_is_in_the_sandbox_too(example_project: Project, example_plan: Plan) -> None:
    project = dataclasses.replace(example_project, ejected={"docker-bake.hcl.j2": "{{ cycler.__init__ }}"})
    with pytest.raises(WorkspaceError, match=r"docker-bake\.hcl\.j2:1: access to attribute '__init__'"):
        render_bake_file(project, example_plan, name_images(project, example_plan), Cache())


def test_a_healthcheck_is_one_command_of_three_words(example_project: Project, example_plan: Plan) -> None:
    image = next(i for i in example_plan.images if i.health and i.health.path)
    checked = dataclasses.replace(image, healthcheck=True)
    images = tuple(checked if i is image else i for i in example_plan.images)
    text = render_dockerfile(example_project, dataclasses.replace(example_plan, images=images))
    (line,) = [each.strip() for each in text.splitlines() if each.startswith("    CMD ")]
    url = f"http://127.0.0.1:{image.port}{image.health.path if image.health else ''}"
    assert line == (f'CMD ["node", "-e", "fetch(\\"{url}\\").then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]')
