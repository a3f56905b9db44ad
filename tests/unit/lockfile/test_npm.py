"""npm's package-lock.json as a graph."""

from bake.lockfile import make_lockfile


def test_what_npm_wrote_down_and_does_not_install_is_not_there() -> None:
    left = {"version": "2.0.0", "extraneous": True}
    packages = {
        "": {"name": "root", "workspaces": ["a"]},
        "a": {"name": "a", "dependencies": {"one": "1"}},
        "node_modules/a": {"resolved": "a", "link": True},
        "node_modules/one": {"version": "1.0.0", "peerDependencies": {"two": "2"}},
        "node_modules/two": left,
        "b": {"name": "b", "extraneous": True},
    }
    lock = make_lockfile({"lockfileVersion": 3, "packages": packages})
    assert sorted(lock.entries) == ["node_modules/a", "node_modules/one"]
    assert sorted(lock.packages) == ["", "a", "b"]
    assert lock.resolve("node_modules/one", "two") is None
