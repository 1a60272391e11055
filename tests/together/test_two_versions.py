"""The last release and this version run in parallel: no frame is lost, none is counted twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
import urllib3
from tests.kit.waiting import until
from tests.together.released_data import FRAMES, SETTINGS, STARTS, make_videos
from tests.traffic.zoned_footage import MODEL, drive

from frametally import keys
from frametally.books.runs import DayKey, current_days
from frametally.opening import open_object_store
from frametally.process.reports import NoProgress
from frametally.segments.contents import encode_segment
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate
from frametally_traffic.drawings.revisions import change_drawing
from frametally_traffic.records import DrawnZone

ROOT = Path(__file__).parents[2]
VERSION, COMMIT = re.findall(
    r"^\| (\d\S+) \| \S+ \| `(\w+)` \|", (ROOT / "docs/releases.md").read_text(), re.MULTILINE
)[0]
THIS = [sys.executable, "-m", "frametally"]
SCRIPT = "import sys; from frametally_cli.main import main; sys.exit(main())"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last release's packages, with the metadata that registers its plug-ins and adapters."""
    packed = subprocess.run(
        ["git", "archive", COMMIT, "--", ":(glob)*/frametally*/**", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if packed.returncode:
        pytest.skip(f"needs commit {COMMIT} of {VERSION}: this clone does not have it")
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    about = folder / "about" / f"frametally-{VERSION}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: frametally\nVersion: {VERSION}\n")
    (about / "entry_points.txt").write_text(
        "\n".join(
            line
            for group, entries in project["entry-points"].items()
            for line in (f"[{group}]", *(f"{name} = {target}" for name, target in entries.items()))
        )
    )
    return folder


class Versions:
    """Both, over one data folder."""

    def __init__(self, code: Path, folder: Path) -> None:
        self.folder = folder
        packages = [str(path) for path in sorted(code.iterdir()) if path.is_dir()]
        self._environments = {
            "last": os.environ | SETTINGS | {"PYTHONPATH": os.pathsep.join(packages)},
            "this": os.environ | SETTINGS,
        }

    def start(self, version: str, *arguments: str) -> subprocess.Popen[str]:
        program = [sys.executable, "-c", SCRIPT] if version == "last" else THIS
        return subprocess.Popen(
            [*program, *arguments, "--data-dir", "data"],
            cwd=self.folder,
            env=self._environments[version],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def said(self, version: str, *arguments: str, code: int = 0) -> str:
        process = self.start(version, *arguments)
        output = process.communicate()[0]
        assert process.returncode == code, output
        return output

    def python(self, version: str, script: str, *arguments: str) -> str:
        program = [sys.executable, "-c", script, *arguments]
        return subprocess.run(
            program, env=self._environments[version], capture_output=True, text=True, check=True
        ).stdout

    @contextmanager
    def dashboard(self, version: str) -> Iterator[str]:
        process = self.start(version, "serve", "--alone", "--port", "0")
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            yield next(match[1] for line in lines if (match := re.search(r"Dashboard at (http\S+)", line)))
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def versions(code: Path, tmp_path: Path) -> Versions:
    make_videos(tmp_path)
    return Versions(code, tmp_path)


def counted(url: str) -> tuple[int, int]:
    answer = urllib3.request("GET", f"{url}/api/v1/counts?from=2026-03-04&to=2026-03-06&interval=172800")
    assert answer.status == 200, answer.data
    body = answer.json()
    return body["frames"], sum(bucket["detections"] for bucket in body["buckets"])


def draw_zone(data_dir: Path, source: str) -> None:
    """Draw a zone whose corners are between pixels, as 0.3.0's are not."""
    settings = Settings(data_dir=data_dir).resolved()
    with closing(open_object_store(settings.store_url)) as store:
        corners = ((0.25, 0.25), (320.5, 0.25), (320.5, 240.5), (0.25, 240.5))
        zone = DrawnZone(name="half", points=corners, width_px=640, height_px=480)
        change_drawing(store, source, lambda drawing: msgspec.structs.replace(drawing, zones=(zone,)))


READ_RUNS = """
import sys
from contextlib import closing
from frametally.books.runs import current_days
from frametally.opening import open_object_store
with closing(open_object_store(sys.argv[1])) as store:
    for day in current_days(store).values():
        print(day.problem or f"{day.run.day} {day.run.frames} frames")
"""


def test_the_last_release_reads_a_day_with_zones_that_this_version_counted(
    versions: Versions, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "zoned").resolved()
    with closing(open_object_store(settings.store_url)) as store:
        draw_zone(settings.data_dir, "gate")
        lines = drive("gate", frames=20)
        data = encode_segment(
            model=MODEL,
            log_id="log",
            topic="frames",
            partition=0,
            first_offset=0,
            next_offset=len(lines),
            frames=lines,
            dead_letters=[],
        )
        store.put(keys.segment_key(MODEL, "log", "frames", 0, 0), data)
        [run] = aggregate(settings=settings, store=store, progress=NoProgress()).runs
        assert [zone.name for zone in run.zones["gate"]] == ["half"]
        assert current_days(store)[DayKey(MODEL, run.interval_s, run.day)].run == run
    read = versions.python("last", READ_RUNS, settings.store_url).splitlines()
    assert [line for line in read if " frames" not in line] == []
    assert f"{run.day} 20 frames" in read


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_two_versions_side_by_side_lose_no_frame_and_count_none_twice(versions: Versions) -> None:
    makers = dict(zip(STARTS, ("last", "this", "last"), strict=True))
    for source, version in makers.items():
        produced = ("produce", f"{source}.mp4", "--start-time", STARTS[source], "--sample-fps", "5")
        assert f"{FRAMES} announced" in versions.said(version, *produced)
    consumers = [versions.start(version, "consume", "--until-caught-up") for version in ("last", "this")]
    outputs = [consumer.communicate()[0] for consumer in consumers]
    assert [consumer.returncode for consumer in consumers] == [0, 0], outputs
    for command in ("aggregate", "index"):
        versions.said("last", command)
    assert "settled" in versions.said("last", "status")
    with versions.dashboard("last") as url:
        before = counted(url)
        assert before[0] == len(STARTS) * FRAMES
        draw_zone(versions.folder / "data", next(iter(STARTS)))
        versions.said("this", "upgrade")
        until(lambda: counted(url) == before)  # this version's data, read by the last release
        status = versions.said("this", "status")
        assert f"{before[0]} of {before[0]} messages handled" in status
        assert "settled" in status
        with versions.dashboard("this") as new_url:
            assert counted(new_url) == before
    # Its ledger has another layout now: the last release reports it with a remedy, instead of reading it.
    assert "use the version that created it" in versions.said("last", "status", code=2)
    # With a fresh ledger it works again, has every frame, and names the command that counts them.
    for file in versions.folder.glob("data/ledger.sqlite*"):
        shutil.move(file, versions.folder / file.name)
    status = " ".join(versions.said("last", "status", code=3).split())
    assert f"{before[0]} of {before[0]} messages handled" in status
    assert "run `frametally aggregate --all" in status
