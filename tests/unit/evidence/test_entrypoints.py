"""What shell scripts become."""

import pytest

from bake.evidence.entrypoints import Becomes, read_script


def test_what_runs_first_is_told_apart_from_what_a_script_becomes() -> None:
    text = '#!/bin/sh\nset -ex\necho "Migrations"\nnpx prisma migrate deploy\n\n# go\nexec node main\n'
    expected = Becomes(words=("node", "main"), execs=True, before=("npx prisma migrate deploy",))
    assert read_script(text) == expected


def test_a_script_that_becomes_its_arguments_passes_them_on() -> None:
    text = '#!/bin/sh\nif [ -z "$URL" ]; then\n  export URL="x"\nfi\nexec "$@"\n'
    assert read_script(text) == Becomes(passes=True, execs=True)


def test_a_case_on_the_first_argument_is_followed() -> None:
    text = """\
#!/bin/sh
COMMAND=$1 && shift 1
case "$COMMAND" in
  'start-web' )
    exec node docker/server.js
    ;;
  'start-worker' | 'worker' )
    exec node docker/worker.js
    ;;
   * )
    echo "unknown"
    ;;
esac
exec "$@"
"""
    assert read_script(text, ["start-web"]).words == ("node", "docker/server.js")
    assert read_script(text, ["worker"]).words == ("node", "docker/worker.js")
    assert read_script(text, ["node", "x.js"]).passes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cd /app/web;\nexec node server.js;\n", ("node", "server.js")),
        ("printf hello\nHOSTNAME=0.0.0.0 node build/main.js\n", ("HOSTNAME=0.0.0.0", "node", "build/main.js")),
        ('if [ -n "$R" ]; then node --import a ./s.js; else node ./s.js; fi', ("node", "./s.js")),
        ("f() {\n  exec node no.js\n}\nexec node yes.js\n", ("node", "yes.js")),
        ('if [ "$A" ]; then exec node a.js; else exec node b.js; fi', ()),
        ("echo nothing", ()),
    ],
)
def test_the_process_that_a_script_ends_in_is_found(text: str, words: tuple[str, ...]) -> None:
    assert read_script(text).words == words


def test_processes_in_the_background_are_beside_the_one_in_front() -> None:
    found = read_script("#!/bin/sh\nnode a.js &\nnode b.js &\nexec node c.js\n")
    assert (found.beside, found.words) == ((("node", "a.js"), ("node", "b.js")), ("node", "c.js"))
