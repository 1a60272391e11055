"""The dashboard's README and settings are correct, and its libraries are the chosen ones."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import brotli
import pytest
from flask.testing import FlaskClient
from tests.web.conftest import Place

from frametally_web import assets
from frametally_web.pages import bundles_beside

FOLDER = Path(__file__).resolve().parents[2] / "simple_frontend"
STATIC = FOLDER / "frametally_web" / "static"
LOCKED = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))["packages"]


def test_versions_are_exact_and_hashed_and_no_address_is_written_down() -> None:
    package_json = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))
    wanted, tools = package_json["dependencies"], package_json["devDependencies"]
    lock = json.loads((FOLDER / "package-lock.json").read_text(encoding="utf-8"))
    assert lock["packages"][""]["dependencies"] == wanted
    assert lock["packages"][""]["devDependencies"] == tools
    for name, version in (wanted | tools).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    for path, package in lock["packages"].items():
        assert "resolved" not in package
        assert not path or package["integrity"].startswith("sha512-")


def test_no_file_of_the_page_names_another_host() -> None:
    for path in [
        *STATIC.glob("*.*"),
        *STATIC.glob("js/**/*.js"),
        *STATIC.glob("pages/*"),
        *STATIC.glob("css/*"),
        *FOLDER.rglob("templates/*"),
    ]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"(^|\s)//.*", "", text, flags=re.MULTILINE), path
        assert "innerHTML" not in text, path


@pytest.mark.parametrize(
    ("here", "command"),
    [(FOLDER, "python fetch_assets.py"), (FOLDER.parent, "python simple_frontend/fetch_assets.py")],
)
def test_a_page_that_is_not_built_says_in_one_line_what_to_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: Path, command: str
) -> None:
    monkeypatch.chdir(here)
    monkeypatch.setattr(assets, "load_assets", lambda _=tmp_path: None)
    monkeypatch.setattr("frametally_web.pages.load_assets", lambda: None)
    client = place.app().test_client()
    page = client.get("/").text
    assert f"<code>{command}</code>" in page
    assert "<script" not in page
    assert client.get("/nowhere", headers={"Accept": "text/html"}).status_code == 404
    assert client.get("/static/answers.js").status_code == 404


@pytest.mark.parametrize("works", [True, False])
def test_the_first_start_builds_the_page_or_names_the_command(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    works: bool,
) -> None:
    go_on = tmp_path / "go-on"
    builder = tmp_path / "fetch_assets.py"
    builder.write_text(
        "import pathlib, sys, time\n"
        f"while not pathlib.Path({str(go_on)!r}).exists(): time.sleep(0.01)\n"
        + ("print('The pages: 9 files created.')" if works else "sys.exit('error: npm: no way there')")
    )
    monkeypatch.setattr(assets, "_BUILDER", builder)
    monkeypatch.setattr(assets, "load_assets", lambda _=tmp_path: None)
    monkeypatch.setattr("frametally_web.pages.load_assets", lambda: None)
    monkeypatch.chdir(tmp_path)
    client = place.app().test_client()
    assets.build_missing()
    meanwhile = client.get("/")
    assert "The page is being built" in meanwhile.text
    assert meanwhile.headers["Refresh"] == "5"
    go_on.touch()
    [builds] = [one for one in threading.enumerate() if one.name == "frametally-pages"]
    builds.join(60)
    told = capfd.readouterr()
    assert told.out.startswith("Building the dashboard's pages, once;")
    if works:
        assert told.out.endswith("The pages: 9 files created.\n")
        return
    assert told.err == (
        "warning: the dashboard's pages cannot be built (npm: no way there); the API works without them. "
        "With a network, run `python fetch_assets.py`\n"
    )
    after = client.get("/")
    assert "<code>python fetch_assets.py</code>" in after.text
    assert "Refresh" not in after.headers


def made(place: Place) -> tuple[FlaskClient, dict[str, assets.Asset]]:
    files = assets.load_assets()
    if files is None:
        pytest.skip("the page cannot be made here: run python simple_frontend/fetch_assets.py")
    return place.app().test_client(), files


def test_a_page_is_one_script_and_one_style_sheet_each_checked_by_its_hash(place: Place) -> None:
    client, _ = made(place)
    page = client.get("/").text
    named = re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))" integrity="([^"]+)"', page)
    of_plugins = bundles_beside("answers")
    assert [re.sub(r"-[A-Z0-9]{8}", "", path) for path, _ in named] == [
        *(f"/static/{bundle}.css" for bundle in ("answers", *of_plugins)),
        *(f"/static/{bundle}.js" for bundle in (*of_plugins, "answers")),
    ]
    assert len(
        re.findall(r"<script(?! type=\"application/json\")|rel=\"(?:stylesheet|modulepreload)\"", page)
    ) == len(named)
    for path, integrity in named:
        with client.get(path) as answer:
            hashed = base64.b64encode(hashlib.sha256(answer.data).digest()).decode()
            assert integrity == f"sha256-{hashed}"
            assert answer.mimetype in ("text/javascript", "text/css")


@pytest.mark.thorough
def test_built_files_are_cached_forever_and_sent_compressed(place: Place) -> None:
    client, files = made(place)
    address = f"/static/{files['answers.js'].file}"
    with client.get(address) as whole:
        wanted = whole.data
    assert whole.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Content-Encoding" not in whole.headers
    undo = {"gzip": gzip.decompress, "br": brotli.decompress}
    for accepts, encoding in {
        "gzip": "gzip",
        "gzip, deflate, br, zstd": "br",
        "br;q=0, gzip": "gzip",
    }.items():
        with client.get(address, headers={"Accept-Encoding": accepts}) as packed:
            data = packed.data
        assert packed.headers["Content-Encoding"] == encoding
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert packed.mimetype == whole.mimetype
        assert undo[encoding](data) == wanted
        assert len(data) < len(wanted) / 2


def test_only_the_pages_built_files_are_served(place: Place) -> None:
    client, files = made(place)
    for name in (
        "manifest.json",
        "style.css",
        "pages/answers.js",
        "../pages.py",
        f"{files['answers.js'].file}.br",
    ):
        assert client.get(f"/static/{name}").status_code == 404
    with client.get("/static/LICENSES.txt") as licences:
        text = licences.get_data(as_text=True)
    assert licences.headers["Cache-Control"] == "no-cache"
    for name in ("chart.js", "@kurkle/color"):
        if f"node_modules/{name}" in LOCKED:
            assert f"{name} {LOCKED[f'node_modules/{name}']['version']}\n" in text


def copied(place: Path) -> Path:
    """A copy of the dashboard's folder without built files."""
    ignored = shutil.ignore_patterns("node_modules", "build", "built", "__pycache__")
    return Path(shutil.copytree(FOLDER, place / "web", ignore=ignored))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(tmp_path)


def fetch(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(folder / "fetch_assets.py")],
        env=os.environ | {"PATH": path},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )


FAKE_NPM = """#!{python}
import pathlib, shutil, sys
if sys.argv[1:] == ["--version"]:
    print("10.8.0")
elif sys.argv[1] != "ci" or "--ignore-scripts" not in sys.argv:
    sys.exit("npm error code EUSAGE")
elif not {works}:
    sys.exit("npm error code ENOTFOUND\\nnpm error network no way there\\nnpm error A complete log is in x")
else:
    shutil.copytree({installed!r}, "node_modules", dirs_exist_ok=True)
"""


def fake_npm(place: Path, *, works: bool = True) -> str:
    """A stand-in for npm, as a PATH: it installs this checkout's installed packages."""
    installed = FOLDER / "build" / "node_modules"
    if not installed.is_dir():
        pytest.skip("the page cannot be made here: run python simple_frontend/fetch_assets.py")
    binaries = place / "bin"
    binaries.mkdir(exist_ok=True)
    script = FAKE_NPM.format(python=sys.executable, works=works, installed=str(installed))
    (binaries / "npm").write_text(script)
    (binaries / "npm").chmod(0o755)
    return str(binaries)


def built_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "frametally_web/static/built").iterdir()}


def script_of(folder: Path, name: str = "answers.js") -> str:
    """The file with a page's script."""
    manifest = json.loads((folder / "frametally_web/static/built/manifest.json").read_text("utf-8"))
    return str(manifest["files"][name]["file"])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a built page."""
    place = tmp_path_factory.mktemp("built")
    folder = copied(place)
    done = fetch(folder, fake_npm(place))
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture
def made_folder(built: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(built, tmp_path / "web"))


@pytest.mark.thorough
def test_the_same_sources_give_the_same_bytes_and_a_second_build_does_nothing(made_folder: Path) -> None:
    first = built_in(made_folder)
    assert {name.partition("-")[0] for name in first} >= {"answers", "logo", "LICENSES.txt", "manifest.json"}
    assert script_of(made_folder) != script_of(made_folder, "de/answers.js")
    again = fetch(made_folder, "/nonexistent")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    name = script_of(made_folder)
    damaged = made_folder / "frametally_web/static/built" / name
    damaged.write_bytes(first[name][:3])
    assert fetch(made_folder, "/nonexistent").returncode == 0  # of the earlier download: npm is not used
    assert built_in(made_folder) == first


@pytest.mark.thorough
def test_a_changed_source_is_rebuilt_without_npm(made_folder: Path) -> None:
    first = built_in(made_folder)
    with (made_folder / "frametally_web/static/pages/answers.js").open("a", encoding="utf-8") as source:
        source.write('document.title = "changed";\n')
    assert fetch(made_folder, "/nonexistent").returncode == 0
    changed = script_of(made_folder)
    assert changed not in first
    assert b'"changed"' in built_in(made_folder)[changed]


@pytest.mark.thorough
def test_a_changed_lock_runs_npm_again(made_folder: Path, tmp_path: Path) -> None:
    with (made_folder / "package-lock.json").open("a", encoding="utf-8") as lock:
        lock.write("\n")
    assert "ENOTFOUND" in fetch(made_folder, fake_npm(tmp_path, works=False)).stderr


def test_an_unreachable_registry_is_one_line(folder: Path, tmp_path: Path) -> None:
    done = fetch(folder, fake_npm(tmp_path, works=False))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "ENOTFOUND" in done.stderr
    assert "Check the network" in done.stderr


@pytest.mark.thorough
def test_an_invalid_source_is_one_line_and_the_existing_build_stays(made_folder: Path) -> None:
    before = built_in(made_folder)
    (made_folder / "frametally_web/static/pages/answers.js").write_text("import {} from './nowhere.js';\n")
    done = fetch(made_folder, "/nonexistent")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "nowhere.js" in done.stderr
    assert built_in(made_folder) == before


def test_the_requirements_can_be_installed_from_their_own_folder() -> None:
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["-e ..[web"]
