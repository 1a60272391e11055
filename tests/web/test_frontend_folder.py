"""What the dashboard's folder says about itself is so, and its libraries are the ones that were chosen."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frametally.settings.__main__ import settings_table
from frametally.settings.loading import ENV_PREFIX, Settings, load_settings
from frametally_web import assets

if TYPE_CHECKING:
    from tests.web.conftest import Place

FOLDER = Path(__file__).resolve().parents[2] / "simple_frontend"
STATIC = FOLDER / "frametally_web" / "static"
FILES = json.loads((STATIC / "vendor.json").read_text(encoding="utf-8"))["files"]


def integrity(data: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def settings_of_the_dashboard() -> set[str]:
    """Those that its code reads, those of the server, and those of what it opens."""
    read = {
        name
        for path in FOLDER.glob("frametally_web/*.py")
        for name in re.findall(r"settings\.([a-z_]+)", path.read_text(encoding="utf-8"))
    }
    known = set(Settings.model_fields)
    return (
        (read & known)
        | {n for n in known if n.startswith("web_")}
        | {"data_dir", "store_url", "index_url", "timezone"}
    )


@pytest.mark.parametrize("name", sorted(settings_of_the_dashboard()))
def test_each_setting_stands_in_the_readme_as_in_the_code_and_in_the_example(name: str) -> None:
    (row,) = (line for line in settings_table().splitlines() if f"`{ENV_PREFIX}{name.upper()}`" in line)
    assert row in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    assert f"#{ENV_PREFIX}{name.upper()}=" in (FOLDER / ".env.example").read_text(encoding="utf-8")


def test_the_example_is_what_is_so_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    plain = load_settings()
    example = (FOLDER / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(re.sub(r"^#(FRAMETALLY_)", r"\1", example, flags=re.MULTILINE))
    assert load_settings() == plain


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
    assert wanted["chart.js"].startswith("4.")


def test_no_file_of_the_page_names_another_host() -> None:
    for path in [
        *STATIC.glob("*.*"),
        *STATIC.glob("js/**/*.js"),
        *STATIC.glob("css/*"),
        *FOLDER.rglob("templates/*"),
    ]:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"(^|\s)//.*", "", text, flags=re.MULTILINE), path
        assert "innerHTML" not in text, path


def test_without_the_libraries_the_page_says_in_one_line_what_to_run(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_web.pages.load_scripts", lambda: None)
    page = place.app().test_client().get("/").text
    assert "<code>python simple_frontend/fetch_assets.py</code>" in page
    assert "<script" not in page


def test_a_library_that_is_missing_is_noticed(tmp_path: Path) -> None:
    shutil.copy(STATIC / "vendor.json", tmp_path)
    vendor = tmp_path / "vendor"
    vendor.mkdir()
    for entry in FILES[1:]:
        (vendor / entry["name"]).write_bytes(b"")
    assert assets.load_scripts(tmp_path) is None
    (vendor / FILES[0]["name"]).write_bytes(b"")
    assert assets.load_scripts(tmp_path) == [
        (entry["name"], entry["integrity"]) for entry in FILES if entry["name"].endswith(".js")
    ]


def test_the_page_asks_for_each_of_its_modules_at_once(place: Place) -> None:
    client = place.app().test_client()
    named = re.findall(r'rel="modulepreload" href="([^"]+)"', client.get("/").text)
    assert len(named) == len(list((STATIC / "js").rglob("*.js"))) > 0
    imported = {
        (path.parent / name).resolve().relative_to(STATIC).as_posix()
        for path in STATIC.rglob("*.js")
        for name in re.findall(r'from "(\.[^"]*\.js)"', _text(path))
    }
    assert {f"/static/{name}" for name in imported} == set(named)
    for address in named:
        with client.get(address) as answer:
            assert (answer.status_code, answer.mimetype) == (200, "text/javascript")


def _text(path: Path) -> str:
    return "" if "vendor" in path.parts else path.read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the dashboard's folder without its libraries."""
    return Path(
        shutil.copytree(
            FOLDER, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules", "vendor", "__pycache__")
        )
    )


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
import json, pathlib, sys
if sys.argv[1:] == ["--version"]:
    print("{version}")
elif sys.argv[1] != "ci" or "--ignore-scripts" not in sys.argv:
    sys.exit("npm error code EUSAGE")
elif not {works}:
    sys.exit("npm error code ENOTFOUND\\nnpm error network no way there\\nnpm error A complete log is in x")
for entry in {entries} if sys.argv[1] == "ci" else []:
    target = pathlib.Path("node_modules", entry["from"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(pathlib.Path({pretended!r}, entry["name"]).read_bytes())
"""


@pytest.fixture
def fake_npm(tmp_path: Path, folder: Path) -> Any:
    """A stand-in for npm: what it installs are small files whose hashes the copied folder expects."""

    def make(*, works: bool = True, version: str = "10.8.0", changed: bool = False) -> str:
        pretended, binaries = tmp_path / "registry", tmp_path / "bin"
        pretended.mkdir(exist_ok=True)
        binaries.mkdir(exist_ok=True)
        entries = [dict(entry) for entry in FILES]
        for entry in entries:
            data = f"// {entry['name']}".encode()
            entry["integrity"] = integrity(data)
            (pretended / entry["name"]).write_bytes(b"other" if changed else data)
        manifest = folder / "frametally_web" / "static" / "vendor.json"
        manifest.write_text(json.dumps({"files": entries}), encoding="utf-8")
        script = FAKE_NPM.format(
            python=sys.executable, version=version, works=works, entries=entries, pretended=str(pretended)
        )
        (binaries / "npm").write_text(script)
        (binaries / "npm").chmod(0o755)
        return str(binaries)

    return make


def test_fetching_takes_the_files_that_are_needed_and_nothing_stays_behind(
    folder: Path, fake_npm: Callable[..., Any]
) -> None:
    done = fetch(folder, fake_npm())
    assert (done.returncode, done.stderr) == (0, "")
    vendor = folder / "frametally_web" / "static" / "vendor"
    assert sorted(path.name for path in vendor.iterdir()) == sorted(entry["name"] for entry in FILES)
    assert list((folder / "node_modules").iterdir()) == []


def test_with_all_files_there_nothing_is_fetched_and_a_damaged_one_is_replaced(
    folder: Path, fake_npm: Callable[..., Any]
) -> None:
    path = fake_npm()
    assert fetch(folder, path).returncode == 0
    again = fetch(folder, "/nonexistent")  # no npm to ask
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    damaged = folder / "frametally_web" / "static" / "vendor" / FILES[0]["name"]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:3])
    assert fetch(folder, path).returncode == 0
    assert damaged.read_bytes() == whole


def test_a_registry_that_cannot_be_reached_is_one_line(folder: Path, fake_npm: Callable[..., Any]) -> None:
    done = fetch(folder, fake_npm(works=False))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "ENOTFOUND" in done.stderr
    assert "Check the network" in done.stderr


def test_a_file_with_another_hash_is_refused_in_one_line_and_not_kept(
    folder: Path, fake_npm: Callable[..., Any]
) -> None:
    done = fetch(folder, fake_npm(changed=True))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "not the file that static/vendor.json names" in done.stderr
    assert not list((folder / "frametally_web" / "static" / "vendor").glob("*.js"))


def test_requirements_work_from_their_own_folder() -> None:
    assert (FOLDER / "requirements.txt").read_text(encoding="utf-8").strip() == "-e ..[web]"
