"""Upkeep of the project: CI repeats and names failures, hosted machines run its parts, a release
is checked."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from tests.examples import EVERY_TURN, in_turn
from tests.kit.processes import run_program

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
# Fails on the first run of `make test-all`, as pytest would, and prints its arguments.
MAKE = """\
#!/bin/sh
echo "made $*"
if [ "$1" = test-all ] && [ -n "$FAILED" ] && [ ! -e tried ]; then
  touch tried
  mkdir -p "${PYTEST_ADDOPTS#*cache_dir=}/v/cache"
  echo "$FAILED" > "${PYTEST_ADDOPTS#*cache_dir=}/v/cache/lastfailed"
  exit 1
fi
"""


def executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """CI's scripts, with a make and tools that do nothing."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    executable(tmp_path / ".venv" / "bin" / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    # Including the package manager, because another process may hold its lock.
    for tool in ("chromium", "strace", "docker-compose", "ip", "dot", "ffmpeg", "promtool", "apt-get"):
        executable(tmp_path / "bin" / tool, "#!/bin/sh\n")
    executable(tmp_path / "bin" / "make", MAKE)
    return tmp_path


def run_ci(checkout: Path, *parts: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`.ci/run` with these parts."""
    env = (
        os.environ | {"PATH": f"{checkout / 'bin'}{os.pathsep}{os.environ['PATH']}", "FAILED": ""} | variables
    )
    command = ["bash", str(checkout / ".ci" / "run"), *parts]
    return run_program(command, code=None, env=env)


def run_tests(checkout: Path, failed: dict[str, bool] | None) -> list[str]:
    """The output of `.ci/run tests` before its table of parts, if these tests fail the first time."""
    (checkout / "tried").unlink(missing_ok=True)
    done = run_ci(checkout, "tests", FAILED=json.dumps(failed) if failed is not None else "")
    assert done.returncode == 0, done.stderr
    *said, part = done.stdout.splitlines()
    assert part.split()[:2] == ["tests", "passed"]
    return said


def test_without_a_failure_nothing_is_repeated(checkout: Path) -> None:
    assert run_tests(checkout, None) == ["made .venv/dev setup", "made test-all", "Run once more: 0"]


@pytest.mark.thorough
def test_a_failing_part_does_not_stop_the_next_ones_and_a_part_without_a_time_is_a_failure(
    checkout: Path,
) -> None:
    executable(checkout / "bin" / "make", "#!/bin/sh\necho made $*\n[ $1 != --keep-going ]\n")
    done = run_ci(checkout, "checks", "tests")
    assert [line.split()[:2] for line in done.stdout.splitlines()[-2:]] == [
        ["checks", "FAILED"],
        ["tests", "passed"],
    ]
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "Failed: checks")
    late = run_ci(checkout, "checks", "tests", CI_MINUTES="0")
    assert "No time is left for: make test-all" in late.stderr
    assert (late.returncode, late.stderr.splitlines()[-1]) == (1, "Failed: checks tests")
    assert run_ci(checkout, "check").returncode == 2
    everything = run_ci(checkout, CI_MINUTES="0")
    assert everything.stderr.splitlines()[-1] == "Failed: checks tests demo services systems"


@pytest.mark.thorough
def test_repeated_tests_are_named_last_and_marked_if_they_repeat_twice_in_a_row(checkout: Path) -> None:
    failed = {"tests/b.py::test_late[a b]": True, "tests/a.py::test_early": True}
    again = ["made test-all TESTS=--last-failed --numprocesses=0", "Run once more: 2"]
    names = ["  tests/a.py::test_early", "  tests/b.py::test_late[a b]"]
    assert run_tests(checkout, failed)[2:] == [*again, *names]
    del failed["tests/a.py::test_early"]
    mend = f"{names[1]} (the second time in a row: mend it)"
    assert run_tests(checkout, failed)[2:] == [again[0], "Run once more: 1", mend]
    assert run_tests(checkout, None)[2:] == ["Run once more: 0"]
    assert run_tests(checkout, failed)[-1] == names[1]


def test_a_target_that_failed_without_a_failed_test_is_named_itself(checkout: Path) -> None:
    assert run_tests(checkout, {})[-1] == "  make test-all"


@pytest.mark.thorough
def test_the_hosted_workflows_are_valid_and_run_every_part_of_ci() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    run_program([*command, *map(str, WORKFLOW.parent.iterdir())])
    matrix = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["part"]["strategy"]["matrix"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f"parts=({' '.join(matrix['parts'])})" in script


find_obstacles = runpy.run_path(str(ROOT / ".ci" / "release.py"))["find_obstacles"]
NOTES = "# Changelog\n\nAbout it.\n\n"
RELEASED = "## 0.4.0 - 2026-12-01\n\n- Much.\n"


@pytest.mark.parametrize("unreleased", ["", "## Unreleased\n\n"])
def test_a_version_that_is_dated_and_unused_can_be_released(unreleased: str) -> None:
    assert find_obstacles("0.4.0", NOTES + unreleased + RELEASED, ["v0.3.9"]) == []


@pytest.mark.parametrize(
    ("changelog", "tags", "changes", "says"),
    [
        ("## Unreleased\n", [], "", "CHANGELOG.md does not begin with 0.4.0"),
        ("## 0.4.0\n", [], "", "CHANGELOG.md does not begin with 0.4.0"),
        ("## 0.4.01 - 2026-12-01\n", [], "", "CHANGELOG.md does not begin with 0.4.0"),
        ("## Unreleased\n\n- More.\n\n" + RELEASED, [], "", "CHANGELOG.md does not begin with 0.4.0"),
        ("## 0.5.0 - 2026-12-02\n\n" + RELEASED, [], "", "CHANGELOG.md does not begin with 0.4.0"),
        (RELEASED, ["v0.4.0"], "", "the tag v0.4.0 is another commit's"),
        (RELEASED, [], " M Makefile\n", "the checkout has changes"),
    ],
)
def test_obstacles_to_a_release_are_reported(
    changelog: str, tags: list[str], changes: str, says: str
) -> None:
    [obstacle] = find_obstacles("0.4.0", NOTES + changelog, tags, changes)
    assert obstacle.startswith(says)


def test_a_version_between_releases_cannot_be_released() -> None:
    assert find_obstacles("0.4.0.dev0", NOTES + "## Unreleased\n") == [
        "0.4.0.dev0 is between releases: remove .dev0 in pyproject.toml and from the images' tags"
    ]


def test_each_release_is_a_releasable_commit_and_is_on_the_releases_page() -> None:
    page = (ROOT / "docs/releases.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d.]+) \| ([\d-]+) \| `([0-9a-f]{40})` \|$", page, re.MULTILINE)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    of_now = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if ".dev" not in of_now:
        assert find_obstacles(of_now, changelog) == []
    dated = re.findall(r"^## ([\d.]+) - ([\d-]+)$", changelog, re.MULTILINE)
    # The commit of a release cannot name itself: the next one does.
    assert [(version, date) for version, date, _ in rows] == [one for one in dated if one[0] != of_now]
    for version, _, commit in rows:
        files = [
            run_program(["git", "show", f"{commit}:{name}"], code=None, cwd=ROOT)
            for name in ("pyproject.toml", "CHANGELOG.md")
        ]
        if any(file.returncode for file in files):
            pytest.skip(f"this clone does not have {commit}")
        project, its_changelog = (file.stdout for file in files)
        assert tomllib.loads(project)["project"]["version"] == version
        assert find_obstacles(version, its_changelog) == []


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.gpu.yml"])
def test_the_stacks_images_have_the_versions_tag(name: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    compose = (ROOT / "cloud-services" / name).read_text(encoding="utf-8")
    assert set(re.findall(r"image: frametally(?:-[\w-]+)?:(\S+)", compose)) == {version}


def test_a_release_names_each_third_party_image_that_has_only_a_tag() -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    unpinned = runpy.run_path(str(ROOT / ".ci" / "release.py"))["unpinned_images"]
    assert unpinned(f"FROM a:1@{digest} AS base\nFROM base AS x\nFROM b.org:80/c:2 AS y\n") == [
        "b.org:80/c:2"
    ]
    compose = f"    image: frametally-x:0.2.0\n    image: d/e:3@{digest}\n    image: f:4\n"
    assert unpinned(compose) == ["f:4"]
    assert unpinned("FROM a:1@sha256:short AS base\n") == ["a:1"]


def test_a_release_needs_no_digest_for_an_image_built_here() -> None:
    script = runpy.run_path(str(ROOT / ".ci" / "release.py"))
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in script["IMAGE_FILES"]}
    services = yaml.safe_load(texts["cloud-services/docker-compose.yml"])["services"].values()
    built = {service["image"] for service in services if "build" in service}
    assert "frametally" in {image.partition(":")[0] for image in built}
    without_digest = "\n".join(re.sub("@sha256:[0-9a-f]+", "", text) for text in texts.values())
    of_others = {service["image"].partition("@")[0] for service in services if "build" not in service}
    assert of_others <= set(script["unpinned_images"](without_digest))
    assert built.isdisjoint(script["unpinned_images"](without_digest))


DOCKER = """\
#!/bin/sh
test "$*" = "buildx imagetools inspect --format {{.Manifest.Digest}} f:4" || { echo "no $*" >&2; exit 1; }
echo "$ANSWER"
"""


def pin_images(folder: Path, compose: str, answer: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """The script in a checkout with this compose file; `docker` gives this answer."""
    (folder / ".ci").mkdir()
    (folder / "cloud-services").mkdir()
    for name in ("release.py", "pin_images.py"):
        shutil.copy(ROOT / ".ci" / name, folder / ".ci")
    (folder / "cloud-services/Dockerfile").write_text("FROM scratch AS base\n")
    file = folder / "cloud-services/docker-compose.yml"
    file.write_text(compose)
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    done = run_program(
        [sys.executable, folder / ".ci/pin_images.py"],
        code=None,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "ANSWER": answer},
    )
    return done, file.read_text()


def test_a_digest_is_written_next_to_its_tag_and_an_existing_one_stays(tmp_path: Path) -> None:
    pinned, digest = "sha256:" + "ab" * 32, "sha256:" + "12" * 32
    done, text = pin_images(tmp_path, f"    image: a:1@{pinned}\n    image: f:4\n", digest)
    assert (done.returncode, done.stderr) == (0, "")
    assert text == f"    image: a:1@{pinned}\n    image: f:4@{digest}\n"


@pytest.mark.parametrize(("image", "answer"), [("f:4", "<no value>"), ("g:5", "sha256:" + "12" * 32)])
def test_text_that_is_not_a_registrys_answer_is_never_written(
    tmp_path: Path, image: str, answer: str
) -> None:
    done, text = pin_images(tmp_path, f"    image: {image}\n", answer)
    assert done.returncode == 2
    assert image in done.stderr
    assert text == f"    image: {image}\n"


@pytest.mark.parametrize("count", [2, 3])
def test_every_case_of_a_test_takes_its_turn_over_some_days_with_one_a_day(count: int) -> None:
    days = [f"2026-02-{day}" for day in (26, 27, 28)[:count]]
    for values in ([], ["a"], ["a", "b"], [*"abcdefgh"]):
        turns = [in_turn(values, count, day) for day in days]
        assert {*values} == {value for turn in turns for value in turn}
        assert all(turns) == bool(values)
        assert in_turn(values, count, EVERY_TURN) == values
    assert sorted(map(len, turns)) == {2: [4, 4], 3: [2, 3, 3]}[count]
