"""The wheel is enough: installed in an empty environment it serves each page as built from its sources."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest
from tests.capabilities import PACKAGES

from frametally.files.demo_clip import TRAFFIC_CLIP
from frametally.plugins import plugins
from frametally.settings.loading import load_settings
from frametally_web.assets import BUILT, load_assets

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("/", *(page.path for plugin in plugins() for page in plugin.pages if page.template))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the wheel's sources."""
    if load_assets() is None:
        pytest.skip("the page cannot be made here: run python simple_frontend/fetch_assets.py")
    copy, built = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "build", ".env", "*.pyc")
    for package in PACKAGES:
        shutil.copytree(
            package.parent, copy / package.parent.relative_to(ROOT), ignore=ignored, dirs_exist_ok=True
        )
    (copy / "docs").mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore", "docs/api.md"):
        shutil.copy(ROOT / name, copy / name)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
        cwd=copy,
        check=True,
        capture_output=True,
    )
    (made,) = built.glob("*.whl")
    return made


def test_the_wheel_holds_everything_that_browsers_get_and_none_of_its_sources(wheel: Path) -> None:
    prefix = "frametally_web/static/"
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    static = {name: data for name, data in held.items() if name.startswith(prefix)}
    assert static == {f"{prefix}built/{path.name}": path.read_bytes() for path in BUILT.iterdir()}
    assert {name for name in held if re.match(r"\w+/page/", name)} == {
        path.relative_to(package.parent).as_posix()
        for package in PACKAGES
        for path in package.glob("page/*.html")
    }


def test_the_wheel_holds_the_manual_from_which_the_api_takes_its_examples(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("frametally_web/api/manual.md") == (ROOT / "docs" / "api.md").read_bytes()


def test_the_wheel_holds_every_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name).parent for name in archive.namelist() if name.endswith("/__init__.py")}
    assert {str(folder) for folder in held if folder.parent == Path()} == {path.name for path in PACKAGES}


class Installed(NamedTuple):
    """The command line of the wheel in a separate environment, and the variables to start it with."""

    frametally: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    environment = tmp_path_factory.mktemp("environment") / "empty"
    venv.create(environment, with_pip=False)
    (site,) = environment.glob("lib/python3*/site-packages")
    install = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install"]
    subprocess.run(
        [*install, "--quiet", "--no-deps", "--no-index", str(wheel)],
        check=True,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    # Its dependencies, and nothing of this checkout: an editable install is a .pth file, which is not read.
    dependencies = Path(next(path for path in sys.path if path.endswith("site-packages")))
    assert dependencies.joinpath("flask").is_dir()
    path = os.pathsep.join([str(site), str(dependencies)])
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FRAMETALLY_")} | {"PYTHONPATH": path}
    return Installed(str(environment / "bin" / "frametally"), clean)


def test_installed_in_an_empty_environment_it_serves_the_pages_and_their_files(
    installed: Installed, tmp_path: Path
) -> None:
    frametally, clean = installed
    commands = subprocess.run(
        [frametally, "--help"], env=clean, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    for command in (command for plugin in plugins() for command in plugin.commands):
        assert re.search(rf"^  {command} ", commands, re.MULTILINE)

    static = {f"/static/{asset.file}" for asset in (load_assets() or {}).values()}
    serve = [frametally, "serve", "--alone", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(serve, env=clean, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            line = next(line for line in server.stdout or () if "http://" in line)
            url = "http://" + line.partition("http://")[2].split()[0]
            texts = {page: urlopen(url + page).read().decode() for page in PAGES}  # noqa: S310
            for path in static:
                with urlopen(url + path) as answer:  # noqa: S310
                    assert answer.status == 200
        finally:
            server.terminate()
    for page, text in texts.items():
        assert set(re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"', text)) <= static, page
        assert "<script" in text, page


def test_installed_in_an_empty_environment_it_counts_the_demo_and_serves_its_counts(
    installed: Installed, tmp_path: Path
) -> None:
    models = load_settings("consumer").models_dir.expanduser()
    if not (models / "yolov4-tiny.weights").is_file() or not (models / TRAFFIC_CLIP.name).is_file():
        pytest.skip("needs the model and the clip of the demo: run make demo")
    data = tmp_path / "demo-data"
    data.mkdir()
    shutil.copy(models / TRAFFIC_CLIP.name, data)
    done = subprocess.run(
        [installed.frametally, "demo", "--no-serve"],
        env=installed.environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    serve = [installed.frametally, "serve", "--alone", "--port", "0", "--data-dir", str(data)]
    with subprocess.Popen(
        serve, env=installed.environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            line = next(line for line in server.stdout or () if "http://" in line)
            url = "http://" + line.partition("http://")[2].split()[0]
            with urlopen(f"{url}/api/v1/counts?source=traffic") as answer:  # noqa: S310
                labels = {bucket["label"] for bucket in json.load(answer)["buckets"]}
        finally:
            server.terminate()
    assert "car" in labels


def test_a_wheel_without_the_built_page_is_not_made(wheel: Path, tmp_path: Path) -> None:
    hook = ROOT / "simple_frontend" / "hatch_build.py"
    script = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('hook', {str(hook)!r})\n"
        "hook = importlib.util.module_from_spec(spec); spec.loader.exec_module(hook)\n"
        "made = hook.Pages(sys.argv[1], {}, None, None, sys.argv[1], 'wheel')\n"
        "made.initialize('standard', {})\n"
    )
    folder = tmp_path / "simple_frontend"
    folder.mkdir()
    (folder / "fetch_assets.py").write_text("raise SystemExit(2)\n")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "have not been built, and cannot be built here" in done.stderr
