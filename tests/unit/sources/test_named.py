"""Packages that code names in a text: what stands where a library takes a name, and what is in quotes at all."""

from pathlib import Path

import pytest

from bake.sources import load_named


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pino({ transport: { target: 'pino-pretty' } })", {"pino-pretty"}),
        ("pino.transport({ targets: [{ target: '@acme/logs' }] })", {"@acme/logs"}),
        ('knex({ client: "pg", connection: url })', {"pg"}),
        ("new Sequelize(url, { dialect: `mysql2` })", {"mysql2"}),
        ("require.resolve('swagger-ui-dist/index.html')", {"swagger-ui-dist"}),
        ("const kind = 'pg';", set()),
    ],
)
def test_a_name_counts_where_a_package_is_meant(tmp_path: Path, text: str, named: set[str]) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.ts").write_text(text)
    (tmp_path / "src/main.test.ts").write_text("x({ client: 'sqlite3' })")
    said = load_named(tmp_path, frozenset(), tmp_path)
    assert said.taken == named
    assert named <= said.quoted
    assert "sqlite3" not in said.quoted
