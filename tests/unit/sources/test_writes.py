"""Folders that code writes to below its package's own."""

from pathlib import Path

import pytest

from bake.sources import Written, kept_empty, load_written


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("mkdirSync('data', { recursive: true })", ("data",)),
        ("fs.writeFileSync('uploads/one.txt', 'x')", ("uploads",)),
        ("await mkdir(path.join(__dirname, '../var', 'cache'))", ("var/cache",)),
        ("createWriteStream(join(process.cwd(), 'logs', 'out.log'))", ("logs",)),
        ("const DIR = process.env.DATA_DIR ?? './data';\nmkdirSync(DIR)", ("data",)),
        ("const DIR = path.resolve(__dirname, '..', 'store')\nfs.ensureDirSync(DIR);", ("store",)),
        ("mkdirSync('/var/data/')", ("/var/data",)),
        ("const DIR = process.env.DIR || '/data'; mkdirSync(DIR)", ("/data",)),
        ("writeFileSync('/tmp/a.txt', x)", ("/tmp",)),
        ("writeFileSync('/etc/hosts', x); mkdirSync('/'); writeFileSync('/x', y)", ()),
        ("mkdirSync('../elsewhere')", ()),
        ("writeFileSync('report.txt', x)", ()),
        ("new DatabaseSync('shop.sqlite')", (".",)),
        ("new Database(path.join(__dirname, '..', 'shop.db'))", (".",)),
        ("new transports.File({ filename: 'error.log' })", (".",)),
        ("SwaggerUI({ url: './openapi.json' }); mkdirSync('.')", ()),
        ("mkdirSync(`${home}/x`)", ()),
        ("mkdirSync(unknown)", ()),
        ("new Database('data/app.db')", ("data",)),
        ("new sqlite3.Database(process.env.DB ?? './var/app.sqlite3', done)", ("var",)),
        ("new Database(path.join(__dirname, '..', 'data', 'geo.db'), { readonly: true })", ()),
        ("new Database(':memory:'); new Database(options)", ()),
        ("const FILE = join(process.cwd(), 'state', 'app.db');\nnew DatabaseSync(FILE)", ("state",)),
        ("createClient({ url: 'file:local/app.db' }), fetch({ url: 'https://x.example/a.db' })", ("local",)),
        ("new DataSource({ type: 'sqlite', database: 'store/app.sqlite' })", ("store",)),
        ("new DataSource({ type: 'postgres', database: 'shop' })", ()),
        ("multer({ dest: 'uploads/' }), new Level('index')", ("index", "uploads")),
        ("new winston.transports.File({ filename: 'logs/error.log' })", ("logs",)),
        ("pino(pino.destination('log/app.log')); x({ filename: 'views/page.html' })", ("log",)),
    ],
)
def test_what_code_makes_below_its_own_folder_is_known(tmp_path: Path, text: str, folders: tuple[str, ...]) -> None:
    file = tmp_path / "apps/api/src/main.ts"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    outputs = [(f"{tmp_path}/apps/api/dist", f"{tmp_path}/apps/api/src")]
    assert tuple(w.folder for w in load_written(tmp_path, "apps/api", frozenset(), outputs)) == folders


def test_what_code_makes_from_where_it_starts_is_told_apart(tmp_path: Path) -> None:
    text = "mkdirSync('data'); mkdirSync(join(process.cwd(), 'logs')); mkdirSync(join(__dirname, 'cache'))"
    (tmp_path / "main.js").write_text(text)
    assert load_written(tmp_path, "", frozenset(), ()) == (
        Written(folder="cache"),
        Written(folder="data", from_start=True),
        Written(folder="logs", from_start=True),
    )


def test_tests_write_where_no_image_is(tmp_path: Path) -> None:
    file = tmp_path / "src/a.test.ts"
    file.parent.mkdir(parents=True)
    file.write_text("mkdirSync('data')")
    assert load_written(tmp_path, "", frozenset(), ()) == ()


def test_where_code_lies_after_the_build_counts(tmp_path: Path) -> None:
    file = tmp_path / "src/main.ts"
    file.parent.mkdir(parents=True)
    file.write_text("mkdirSync(join(__dirname, 'cache'))")
    assert load_written(tmp_path, "", frozenset(), [(f"{tmp_path}/dist", f"{tmp_path}/src")]) == (
        Written(folder="dist/cache"),
    )


def test_folders_that_a_file_alone_keeps_in_git_are_filled_when_it_runs() -> None:
    files = ("uploads/.gitkeep", "var/cache/.gitignore", "src/main.ts", "src/.keep", ".gitignore", "public/a/x.png")
    assert kept_empty(files) == ("uploads", "var/cache")
