"""Which files a build never sees, as Docker reads the patterns. Cases from moby/patternmatcher's own tests."""

import pytest

from bake.workspace import parse_dockerignore
from bake.workspace.ignored import parse_gitignore


@pytest.mark.parametrize(
    ("patterns", "path", "ignored"),
    [
        ("**", "file", True),
        ("**", "dir/file", True),
        ("**/", "file", True),
        ("**/**", "dir/file", True),
        ("dir/**", "dir/file", True),
        ("dir/**", "dir/dir2/file", True),
        ("dir/**", "file", False),
        ("**/dir", "dir", True),
        ("**/dir", "dir/file", True),
        ("**/dir2/*", "dir/dir2/file", True),
        ("**/dir2/*", "dir/dir2/dir2/file", True),
        ("**file", "file", True),
        ("**file", "dir/file", True),
        ("**/file", "dir/file", True),
        ("**file", "dir/dir/file", True),
        ("**/file*", "dir/dir/file.txt", True),
        ("**/file*txt", "dir/dir/file.txt", True),
        ("**/file*.txt*", "dir/dir/file.txt", True),
        ("**/*.txt", "dir/dir/file.txt", True),
        ("**/*.txt2", "dir/dir/file.txt", False),
        ("a**/*.txt", "a/file.txt", True),
        ("a**/*.txt", "a/dir/file.txt", True),
        ("a[b-d]e", "ae", False),
        ("a[b-d]e", "ace", True),
        ("a[^b-d]e", "aze", True),
        (".*", ".foo", True),
        (".*", "foo", False),
        ("abc.def", "abcdef", False),
        ("abc.def", "abcZdef", False),
        ("abc?def", "abcZdef", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "axb", False),
        ("docs\n!docs/README.md", "docs/README.md", False),
        ("docs/README.md\n!docs", "docs/README.md", False),
        ("docs\n!docs/README.md\ndocs", "docs/README.md", True),
        ("*\n!services/api\n**/dist", "services/api/src/x.ts", False),
        ("*\n!services/api\n**/dist", "services/api/dist/x.js", True),
        ("# docs\n\n /docs/ ", "docs/x", True),
    ],
)
def test_the_last_pattern_that_matches_decides(patterns: str, path: str, *, ignored: bool) -> None:
    assert parse_dockerignore(patterns)(path) is ignored


def test_a_gitignore_below_the_root_counts_from_its_folder() -> None:
    assert parse_gitignore("# notes\n*.log\n/build/\na/b\n!keep.log\n\n", "services/api") == (
        "services/api/**/*.log",
        "services/api/build",
        "services/api/a/b",
        "!services/api/**/keep.log",
    )
