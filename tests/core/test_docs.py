"""The documentation names existing things, its links work, and it lists each module."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from tests.capabilities import CAPABILITIES, HERE, is_gone
from tests.kit.processes import run_program
from tests.kit.scripts import script

from frametally.settings.loading import ENV_PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]


code_map = script("docs/code_map.py")
test_house = script("tests/core/test_house.py")

FILES = run_program(["git", "ls-files"], cwd=ROOT).stdout.splitlines()
PAGES = sorted(ROOT / name for name in FILES if name.endswith(".md"))
# Keys of the store begin with the names of some folders, so paths of those are known by their package.
TOP = "|".join(
    [
        *("core", "cli", "producer", "consumer", "hadoop", "elasticsearch", "simple_frontend"),
        *("cloud-services", "docs", "tests", "benchmarks"),
        "models/frametally_models",
        "capabilities",
    ]
)
NAMED_PATH = re.compile(rf"`((?:{TOP})/[\w./-]+?\.(?:py|js|css|md|json|yml|lock))(?:::\w+)*`")
NAMED_MODULE = re.compile(r"`((?:\w[\w.-]*/)*\w[\w-]*\.(?:py|js|css))`")
OF_ANOTHER_LAYOUT = "docs/older-layout.md"
NAMED_GLOB = re.compile(rf"`((?:\*+|{TOP})/[^\s`]*\*[^\s`]*)`")
MAKE = re.compile(r"(?:`|^ *)make ([a-z-]+)", re.MULTILINE)
SETTING = re.compile(rb"\bFRAMETALLY_[A-Z0-9_]*[A-Z0-9]\b")
REMOVED = re.compile(r"`git rm -r ([^`]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_there(path: str) -> bool:
    """Whether a path or glob from the root matches anything, or is of a capability that is gone."""
    return is_gone(path) or any(ROOT.glob(path))


def anchors_of(page: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.thorough
@pytest.mark.parametrize("package", code_map.PACKAGES)
def test_each_packages_readme_names_exactly_its_modules_one_line_each(package: str) -> None:
    readme = code_map.readme_of(ROOT / package).read_text(encoding="utf-8")
    assert readme == code_map.with_map(readme, ROOT / package), "run: python docs/code_map.py"


@pytest.mark.thorough
@pytest.mark.parametrize("package", code_map.PACKAGES)
def test_each_module_says_what_it_is_for(package: str) -> None:
    silent = [
        name_of(path) for path in code_map.modules_of(ROOT / package) if not code_map.first_paragraph(path)
    ]
    assert not silent


@pytest.mark.thorough
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_everything_that_a_page_links_to_or_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = []
    if name_of(page) != OF_ANOTHER_LAYOUT:
        for path in NAMED_PATH.findall(text):
            if not is_gone(path) and not any((folder / path).exists() for folder in (ROOT, page.parent)):
                missing.append(path)
        missing += [
            name
            for name in NAMED_MODULE.findall(text)
            if not is_gone(name) and not any(f"/{file}".endswith(f"/{name}") for file in FILES)
        ]
    for target, anchor in LINK.findall(text):
        linked = (page.parent / target).resolve() if target else page
        if linked.is_relative_to(ROOT) and is_gone(name_of(linked)):
            continue
        if not linked.exists():
            missing.append(target)
        elif anchor and linked.suffix == ".md" and anchor not in anchors_of(linked.read_text("utf-8")):
            missing.append(f"{target}#{anchor}")
    assert not missing


def test_each_glob_on_a_page_matches_files_and_each_path_it_removes_exists() -> None:
    named = {path: path.read_text(encoding="utf-8") for path in PAGES}
    removed = {path for text in named.values() for paths in REMOVED.findall(text) for path in paths.split()}
    assert removed
    assert [path for path in removed if not is_there(path)] == []
    globs = {glob for text in named.values() for glob in NAMED_GLOB.findall(text)}
    globs.remove("elasticsearch/users*")  # the stack's setup writes these into `cloud-services/`
    missing = [
        glob
        for glob in globs
        if not any(is_there(glob.replace("frametally_*", f"frametally_{name}")) for name in CAPABILITIES)
    ]
    assert missing == []


@pytest.mark.skipif({*CAPABILITIES} != HERE, reason="pages name the settings of all capabilities")
def test_each_make_target_and_setting_that_a_page_names_exists() -> None:
    targets = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)}
    sources = [
        path for name in FILES if not name.endswith(".md") and (path := ROOT / name).suffix and path.is_file()
    ]
    settings = {f"{ENV_PREFIX}{name.upper()}".encode() for name in Settings.model_fields}
    for path in sources:
        settings |= {*SETTING.findall(path.read_bytes())}
    pages = {
        page: page.read_text(encoding="utf-8") for page in PAGES if page.parent != ROOT / "benchmarks/results"
    }
    missing = [
        f"{name_of(page)}: {name}"
        for page, text in pages.items()
        for name in [
            *(f"make {target}" for target in MAKE.findall(text) if target not in targets),
            *(
                name.decode()
                for name in SETTING.findall(text.encode())
                if not {name, name.removesuffix(b"_FILE")} & settings
            ),
        ]
    ]
    assert missing == []


def test_the_languages_page_names_every_catalogue_and_every_list_of_problems() -> None:
    page = (ROOT / "docs/languages.md").read_text(encoding="utf-8")
    for name in ("languages/en.json", "languages/problems/de.json"):
        files = {ROOT / file for file in FILES if file.endswith(f"/{name}") and (ROOT / file).is_file()}
        globs = [glob for glob in NAMED_GLOB.findall(page) if glob.endswith(f"/{name}")]
        assert files
        assert files - {path for glob in globs for path in ROOT.glob(glob)} == set()


def test_each_page_that_names_a_benchmark_says_what_benchmarks_need() -> None:
    silent = [
        name_of(page)
        for page in PAGES
        if not page.is_relative_to(ROOT / "benchmarks/results")
        and re.search(r"python\s+benchmarks/", text := page.read_text(encoding="utf-8"))
        and not re.search(r"make \.venv/dev|make services-up|\]\((?:\.\./docs/)?performance\.md\)", text)
    ]
    assert silent == []


@pytest.mark.parametrize("page", ["CHANGELOG.md", "docs/guarantees.md", "docs/decisions.md"])
def test_pages_that_grow_with_every_change_say_each_thing_once(page: str) -> None:
    text = re.sub(r"<!--.*?-->", "", (ROOT / page).read_text(encoding="utf-8"))
    lines = Counter(line for line in text.splitlines() if len(line) > 60)
    assert [line for line, times in lines.items() if times > 1] == []


def test_decisions_are_at_most_40_records_of_less_than_15_lines() -> None:
    records = re.split(r"^### ", (ROOT / "docs/decisions.md").read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert len(records) <= 40
    assert all(len(record.partition("\n## ")[0].strip().splitlines()) < 15 for record in records)


def test_the_index_links_to_every_page() -> None:
    linked = {target for target, _ in LINK.findall((ROOT / "docs/index.md").read_text(encoding="utf-8"))}
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - linked == {"index.md"}


def test_the_architecture_page_shows_the_floors_that_the_tests_enforce() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`frametally[^|]+) \|", page, re.MULTILINE)
    floors = list(test_house.FLOORS)[1:]  # the first is that of the capabilities
    assert [tuple(re.findall(r"`([\w.]+)`", row)) for row in rows] == floors


def test_the_architecture_page_names_each_capability_and_its_dependencies() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)/\]\(\.\./[\w/]+/README\.md\) \| .+ \| (.*)\|$", page, re.MULTILINE)
    needs = {name: tuple(re.findall(r"\w+", names)) for name, names in rows}
    assert needs.keys() == set(CAPABILITIES)
    assert {name: needs[name] for name in test_house.NEEDS} == test_house.NEEDS


def test_the_path_of_a_frame_names_a_file_at_each_step() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    way = page.partition("## The way of one frame")[2].partition("\n## ")[0]
    steps = re.split(r"^\d+\. ", way, flags=re.MULTILINE)[1:]
    assert len(steps) == 13
    assert all(NAMED_PATH.search(step) for step in steps)


def test_each_glossary_entry_names_the_module_that_implements_it() -> None:
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .+ \|$", page, re.MULTILINE)[2:]
    assert len(rows) >= 12
    assert all(NAMED_PATH.search(row) for row in rows)
