"""The chain of steps that a build waited for."""

import json

from bake.engine import Progress, critical_path


def fed(*vertexes: dict[str, object]) -> Progress:
    progress = Progress()
    progress.feed(json.dumps({"vertexes": vertexes}))
    return progress


def vertex(digest: str, name: str, start: float, end: float, *inputs: str, **more: object) -> dict[str, object]:
    times = {"started": f"2026-01-01T00:00:{start:06.3f}Z", "completed": f"2026-01-01T00:00:{end:06.3f}Z"}
    return {"digest": digest, "name": name, "inputs": inputs, **times, **more}


def told(progress: Progress) -> list[tuple[str, float, float]]:
    return [(leg.step.name, round(leg.seconds, 1), round(leg.waited, 1)) for leg in critical_path(progress)]


def test_the_path_follows_what_ended_last_of_all_that_a_step_needed() -> None:
    progress = fed(
        vertex("send", "[internal] load build context", 0, 1),
        vertex("a", "[api linux/amd64 build-a 1/1] RUN a", 1, 4, "send"),
        vertex("b", "[api linux/amd64 build-b 1/1] RUN b", 1, 9, "send"),
        vertex("copy", "[api linux/amd64 build-c 1/2] COPY x", 9.05, 9.06, "a", "b"),
        vertex("c", "[api linux/amd64 build-c 2/2] RUN c", 10, 12, "copy"),
        vertex("other", "[web linux/amd64 build-d 1/1] RUN d", 1, 11, "send"),
        vertex("export", "[api] exporting to image", 12.5, 15),
    )
    assert told(progress) == [
        ("[internal] load build context", 1.0, 0.0),
        ("[api linux/amd64 build-b 1/1] RUN b", 8.0, 0.0),
        ("[api linux/amd64 build-c 2/2] RUN c", 2.0, 1.0),
        ("[api] exporting to image", 2.5, 0.5),
    ]


def test_a_step_that_buildkit_ran_for_another_target_is_on_the_path_of_both() -> None:
    progress = fed(
        vertex("one", "[api linux/amd64 build-a 1/1] RUN a", 0, 5),
        vertex("two", "[web linux/amd64 build-a 1/1] RUN a", 0, 0, cached=True),
        vertex("last", "[web linux/amd64 build-b 1/1] RUN b", 5, 8, "two"),
    )
    assert told(progress) == [
        ("[api linux/amd64 build-a 1/1] RUN a", 5.0, 0.0),
        ("[web linux/amd64 build-b 1/1] RUN b", 3.0, 0.0),
    ]


def test_the_export_of_a_build_of_one_target_follows_all_its_steps() -> None:
    progress = fed(
        vertex("a", "[linux/amd64 build-a 1/1] RUN a", 0, 5),
        vertex("export", "exporting to image", 5, 8),
    )
    assert told(progress) == [("[linux/amd64 build-a 1/1] RUN a", 5.0, 0.0), ("exporting to image", 3.0, 0.0)]


def test_a_build_from_the_cache_waited_for_nothing() -> None:
    assert told(fed(vertex("a", "[api linux/amd64 build-a 1/1] RUN a", 0, 0, cached=True))) == []
    assert told(Progress()) == []
