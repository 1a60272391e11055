"""The wheel is enough: installed in an empty environment it serves the page as it is made of its sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from frametally_web.assets import BUILT, load_assets

ROOT = Path(__file__).resolve().parents[2]
SERVED = """
import json, sys
from pathlib import Path
import frametally_web
from frametally.opening import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally_videos.opening import open_video_catalogue
from frametally.settings.loading import Settings
from frametally_web.app import create_app
folder = Path(sys.argv[1])
index = open_count_index(f"sqlite:///{folder / 'index.sqlite'}")
ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
store = open_object_store(f"file://{folder / 'store'}")
log = open_frame_log(f"sqlite:///{folder / 'log.sqlite'}")
catalogue = open_video_catalogue(f"sqlite:///{folder / 'catalogue.sqlite'}")
ports = {"store": store, "index": index, "ledger": ledger, "log": log, "catalogue": catalogue}
client = create_app(settings=Settings(), **ports).test_client()
page = client.get("/")
found = {"file": frametally_web.__file__, "/": page.status_code, "page": page.text}
for path in sys.argv[2:]:
    found[path] = client.get(path).status_code
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what the wheel is made of."""
    if load_assets() is None:
        pytest.skip("the page cannot be made here: run python simple_frontend/fetch_assets.py")
    copy, built = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "build", ".env", "*.pyc")
    for folder in ("core", "producer", "consumer", "hadoop", "elasticsearch", "simple_frontend"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, copy / name)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
        cwd=copy,
        check=True,
        capture_output=True,
    )
    (made,) = built.glob("*.whl")
    return made


@pytest.mark.thorough
def test_the_wheel_holds_all_that_browsers_get_and_none_of_its_sources(wheel: Path) -> None:
    prefix = "frametally_web/static/"
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if name.startswith(prefix)}
    assert held == {f"{prefix}built/{path.name}": path.read_bytes() for path in BUILT.iterdir()}


@pytest.mark.thorough
def test_installed_in_an_empty_environment_it_serves_the_page_and_its_files(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "empty"
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
    paths = [f"/static/{asset.file}" for asset in (load_assets() or {}).values()]
    done = subprocess.run(
        [str(environment / "bin" / "python"), "-c", SERVED, str(tmp_path), *paths],
        env={k: v for k, v in os.environ.items() if not k.startswith("FRAMETALLY_")}
        | {"PYTHONPATH": os.pathsep.join([str(site), str(dependencies)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["file"].startswith(str(site))
    assert found["/"] == 200
    assert {path: found[path] for path in paths} == dict.fromkeys(paths, 200)
    assert all(path in found["page"] for path in paths if "answers" in path)


@pytest.mark.thorough
def test_a_wheel_without_the_page_is_not_built(wheel: Path, tmp_path: Path) -> None:
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
    assert "are not made and cannot be" in done.stderr
