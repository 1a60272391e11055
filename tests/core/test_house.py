"""The layout keeps its promises: what may stand where, who may import whom, how large a module may grow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["core", "producer", "consumer", "hadoop", "elasticsearch", "simple_frontend", "cloud-services"]
PACKAGES = {
    "frametally_producer": ROOT / "producer",
    "frametally_consumer": ROOT / "consumer",
    "frametally_hadoop": ROOT / "hadoop",
    "frametally_search": ROOT / "elasticsearch",
    "frametally_web": ROOT / "simple_frontend",
}
MODULES = sorted(
    [*(ROOT / "core/frametally").rglob("*.py")]
    + [path for name, folder in PACKAGES.items() for path in (folder / name).rglob("*.py")]
)
MOST_LINES = 400


def imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_top_level_folder_is_never_a_package(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()


def test_no_test_folder_is_a_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_elasticsearch_is_the_official_client_from_the_root_of_the_checkout() -> None:
    where = subprocess.run(
        [sys.executable, "-c", "import elasticsearch; print(elasticsearch.__file__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "site-packages" in where


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_stays_small_enough_to_read_at_once(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("name", PACKAGES)
def test_a_component_imports_core_and_no_other_component(name: str) -> None:
    others = set(PACKAGES) - {name}
    for path in (PACKAGES[name] / name).rglob("*.py"):
        assert not imported_packages(path) & others, path


def test_only_the_command_line_imports_components_and_only_when_a_command_runs() -> None:
    for path in (ROOT / "core/frametally").rglob("*.py"):
        if not path.name.startswith("cli_"):
            assert not imported_packages(path) & set(PACKAGES), path
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, frametally.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {module.split(".")[0] for module in loaded} & set(PACKAGES)


@pytest.mark.parametrize("name", ["json", "types", "queue", "io"])
def test_no_module_of_the_job_hides_one_of_the_standard_library(name: str) -> None:
    assert not (ROOT / "hadoop/frametally_hadoop" / f"{name}.py").exists()


@pytest.mark.parametrize(
    "lock",
    [
        "requirements.lock",
        "requirements-dev.lock",
        "requirements-spark.lock",
        "requirements-int8.lock",
        "requirements-airflow.lock",
    ],
)
def test_a_lock_carries_names_versions_and_hashes_but_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert "://" not in text
    assert "--index-url" not in text
