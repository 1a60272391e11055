"""Mistakes are corrected on the command line: the counts end as if there had been none."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.commands import CommandLine
from tests.kit.clips import write_clip
from tests.pipeline.conftest import part_files
from tests.pipeline.dashboard import dashboard

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.ports.count_index import CountQuery

WRONG, RIGHT = "2026-03-01T23:59:58Z", "2026-03-04T10:00:00Z"
ENV = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_INTERVAL_S": "1", "FRAMETALLY_COUNT_OBJECTS": "false"}


def picture(seed: int) -> np.ndarray:
    """One to three bright patches on black, chosen by `seed`."""
    image = np.zeros((48, 64, 3), np.uint8)
    for n in range(seed % 3 + 1):
        left = 4 + 20 * n
        image[8 + seed % 20 : 20 + seed % 20, left : left + 12] = 255
    return image


def make_video(path: Path, frames: int) -> None:
    write_clip(path, map(picture, range(frames)))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    make_video(folder / "cam.mp4", 20)
    (folder / "pics").mkdir()
    for n in range(4):
        name = folder / "pics" / f"still_20260301_1200{n:02d}.jpg"
        cv2.imwrite(str(name), picture(n))
    return folder


class House:
    """An empty data folder, and the command line on it, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frametally = CommandLine(folder)

    def __call__(self, *arguments: object, code: int = 0) -> str:
        said = self.frametally(*arguments, code=code)
        return said.out + (said.err if code == 2 else "")

    def produce(self, footage: Path, *, start_time: str, source: str) -> None:
        self("produce", footage / "cam.mp4", "--source", source, "--start-time", start_time)
        self("produce", footage / "pics", "--source", source, "--time-pattern", "still_%Y%m%d_%H%M%S")

    def count(self) -> None:
        for command in (["consume", "--until-caught-up"], ["aggregate"], ["index"]):
            self(*command)

    def status(self, code: int = 0) -> dict[str, Any]:
        return json.loads(self("status", "--json", code=code))

    def chart(self) -> list[tuple[int, str, int]]:
        with closing(open_count_index(f"sqlite:///{self.folder}/frametally-data/index.sqlite")) as index:
            [series] = index.series()
            found = index.histogram(CountQuery(model=series.model, base_interval_s=1, interval_s=1))
        return [(bucket.start_ms, bucket.label, bucket.detections) for bucket in found.buckets]


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], House]:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    return lambda name: House(tmp_path / name)


def test_a_wrong_time_and_a_wrong_source_are_corrected_byte_for_byte(
    house: Callable[[str], House], footage: Path
) -> None:
    mended, right = house("mended"), house("right")
    mended.produce(footage, start_time=WRONG, source="Yard")
    mended.count()
    mended("retime", footage / "cam.mp4", "--start-time", RIGHT)
    assert mended.status(code=4)["verdict"] == "behind"
    mended("rename-source", "Yard", "Gate")
    mended.count()
    right.produce(footage, start_time=RIGHT, source="Gate")
    right.count()
    assert part_files(mended.folder / "frametally-data") == part_files(right.folder / "frametally-data")
    assert mended.chart() == right.chart() != []
    settled = mended.status()
    assert [(books["source"], books["expected"]) for books in settled["sources"]] == [("gate", 24)]
    # Corrections are known: producing it again, even in its first form, announces nothing.
    assert "0 announced, 20 already known" in mended("produce", footage / "cam.mp4", "--source", "Yard")


HOUR_MS = 3_600_000
EIGHT_MS, NINE_MS = (keys.day_start_ms("2026-05-01") + hour * HOUR_MS for hour in (8, 9))


def hours_seen(folder: Path) -> set[int]:
    """Hours with detections in any answer of the API, with any interval."""
    hours: set[int] = set()
    with dashboard(folder / "frametally-data") as client:
        for asked in ("", "?interval=1", "?interval=60", "?interval=3600", "?base=1", "?interval=60&base=60"):
            answer = client.get(f"/api/v1/counts{asked}")
            for bucket in answer.json["buckets"] if answer.status_code == 200 else ():
                if bucket["detections"]:
                    hours.add(bucket["start_ms"] // HOUR_MS * HOUR_MS)
    return hours


def hours_exported(house: House) -> set[str]:
    rows = [
        row for step_s in ("1", "60", "3600") for row in house("export", "--interval", step_s).splitlines()
    ]
    return {row[:13] for row in rows if ",footage," in row}


@pytest.mark.thorough
def test_the_commands_that_a_correction_names_end_and_bring_it_into_the_counts(
    house: Callable[[str], House], footage: Path
) -> None:
    mended = house("named")
    mended("produce", footage / "cam.mp4", "--source", "Yard", "--start-time", WRONG)
    mended.count()
    named = re.findall("`frametally ([^`]+)`", mended("rename-source", "Yard", "Gate"))
    assert named == ["consume --until-caught-up", "aggregate", "index"]
    for command in named:
        mended(*command.split())
    assert mended.status()["verdict"] == "settled"


MENDED: dict[str, list[Any]] = {
    "retime": ["cam.mp4", "--start-time", "2026-05-01T09:00:00Z"],
    "rename-source": ["Yard", "Gate"],
    "forget": ["cam.mp4", "--from", "2026-05-01T08:00:02Z", "--yes"],
}


@pytest.mark.thorough
@pytest.mark.parametrize("command", MENDED)
def test_an_interval_not_yet_recounted_never_shows_corrected_footage_as_it_was(
    house: Callable[[str], House], footage: Path, command: str
) -> None:
    mended = house("mended")
    mended("produce", footage / "cam.mp4", "--source", "Yard", "--start-time", "2026-05-01T08:00:00Z")
    for step in (["consume", "--until-caught-up"], ["aggregate"], ["aggregate", "--interval", 60], ["index"]):
        mended(*step)
    assert hours_seen(mended.folder) == {EIGHT_MS}
    assert mended.status()["verdict"] == "settled"
    before = boxes_by_source(mended)
    mended(command, *(footage / one if one == "cam.mp4" else one for one in MENDED[command]))
    mended("consume", "--until-caught-up")
    assert mended.status(code=4)["verdict"] == "behind"
    mended("aggregate")
    assert mended.status(code=4)["verdict"] == "behind"
    mended("index")
    hour_ms = NINE_MS if command == "retime" else EIGHT_MS
    assert hours_seen(mended.folder) == {hour_ms}
    assert {int(found[-2:]) for found in hours_exported(mended)} == {hour_ms // HOUR_MS % 24}
    after = boxes_by_source(mended)
    assert (after == before) == (command == "retime")
    [behind] = mended.status(code=4)["behind"]
    assert "run `frametally aggregate --interval 60 --from 2026-05-01 --to 2026-05-02`" in behind
    mended("aggregate", "--interval", 60, "--from", "2026-05-01", "--to", "2026-05-02")
    assert mended.status(code=4)["behind"] == ["the index: 1 day to index; run `frametally index`"]
    mended("index")
    assert mended.status()["verdict"] == "settled"
    assert hours_seen(mended.folder) == {hour_ms}
    assert boxes_by_source(mended) == after


def boxes_by_source(house: House) -> dict[tuple[str, ...], int]:
    """Sums of each stored interval, for all its queries."""
    rows = csv.DictReader(io.StringIO(house("export", "--interval", "3600")))
    return {(row["source"], row["label"]): int(row["detections"] or 0) for row in rows}


@pytest.mark.thorough
def test_forgotten_footage_leaves_chart_and_books_and_returns_when_produced_again(
    house: Callable[[str], House], footage: Path
) -> None:
    mended, right = house("mended"), house("right")
    mended.produce(footage, start_time=WRONG, source="Gate")
    mended.count()
    everything = mended.chart()
    mended("forget", footage / "cam.mp4", code=2)  # it asks, and no one answers yes
    said = mended("forget", footage / "cam.mp4", "--yes", "--delete-images")
    assert "20 frames announced; affected: 20 analysed frames on 2 days" in said
    mended("forget", "--source", "Gate", "--from", "2026-03-01T12:00:02Z", "--yes")
    behind = mended.status(code=4)
    assert any("22 frames that no longer count are still counted" in line for line in behind["behind"])
    mended("aggregate")
    mended("index")
    assert [row for row in everything if row[0] in (1_772_366_400_000, 1_772_366_401_000)] == mended.chart()
    [books] = mended.status()["sources"]
    assert (books["expected"], books["detected"], books["forgotten"], books["indexed"]) == (4, 2, 2, 2)
    with closing(open_object_store(f"file://{mended.folder}/frametally-data/store")) as store:
        assert sum(1 for _ in store.list(keys.IMAGES)) == 4
    mended("ledger", "rebuild")
    assert mended.status()["sources"] == [books]
    mended("forget", footage / "pics", "--yes")
    mended.produce(footage, start_time=RIGHT, source="Gate")
    mended.count()
    right.produce(footage, start_time=RIGHT, source="Gate")
    right.count()
    assert part_files(mended.folder / "frametally-data") == part_files(right.folder / "frametally-data")
    assert mended.status()["verdict"] == "settled"


def test_the_frames_behind_each_bar_add_up_to_it(house: Callable[[str], House], footage: Path) -> None:
    counted = house("counted")
    counted.produce(footage, start_time=RIGHT, source="Gate")
    counted.count()
    bars = counted.chart()
    assert len(bars) == 8
    start_ms, label, detections = bars[-1]
    asked = ["--source", "Gate", "--label", label, "--interval-start"]
    answer = json.loads(counted("explain", *asked, start_ms, "--json"))
    assert (answer["total"], answer["detections"], answer["equal"]) == (detections, detections, True)
    assert (
        answer["frames"][-1]["running_total"]
        == detections
        == sum(len(frame["boxes"]) for frame in answer["frames"])
    )
    said = counted("explain", *asked, "2026-03-04T10:00:00Z", "--interval", 3600)
    assert f"total: {sum(bar[2] for bar in bars[4:])} {label}" in said
    assert "the bar shows the same" in said
    assert "no bar: " in counted("explain", *asked, "2026-03-05T10:00:00Z", code=2)


@pytest.mark.thorough
def test_pictures_without_a_medium_are_reported_by_source_and_deleted(
    house: Callable[[str], House], footage: Path
) -> None:
    home = house("home")
    home.produce(footage, start_time=RIGHT, source="Yard")
    home.count()
    home("rename-source", "Yard", "Gate")
    said = home("forget", "--source", "Yard", "--yes", code=2)
    assert "forget --unnamed-images" in said
    assert home("forget", "--unnamed-images", code=2).startswith("yard: 24 pictures, ")
    rows = json.loads(home("doctor", "--deep", "--json", code=0))["rows"]
    told = [row["value"] for row in rows if (row["area"], row["name"]) == ("images", "yard")]
    assert [line.startswith("24 pictures that belong to no medium") for line in told] == [True]
    said = home("forget", "--unnamed-images", "--yes")
    assert "deleted: 24 pictures that belong to no medium" in said
    assert "deleted: 0 pictures" in home("forget", "--unnamed-images", "--yes")
    home.count()
    assert home.status()["verdict"] == "settled"


def test_files_that_a_file_manager_leaves_in_the_store_stop_nothing(
    house: Callable[[str], House], footage: Path
) -> None:
    littered, clean = house("littered"), house("clean")
    for one in (littered, clean):
        one.produce(footage, start_time=WRONG, source="Yard")
        one.count()
        one("forget", footage / "pics", "--yes")
        if one is littered:
            store = one.folder / "frametally-data/store"
            (store / "corrections").mkdir(exist_ok=True)
            (store / "dead-letters/dropped").mkdir(parents=True)
            for folder in [store, *(path for path in store.rglob("*") if path.is_dir())]:
                (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1\xff")
        one("retime", footage / "cam.mp4", "--start-time", RIGHT)
        one.count()
        one("rename-source", "Yard", "Gate")
        one.count()
        assert one.status()["verdict"] == "settled"
    counted = [part_files(one.folder / "frametally-data") for one in (littered, clean)]
    assert counted[0] == counted[1] != {}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["rename-source", "gate", "yard"], 0),  # the interrupted one
        (["rename-source", "gatr", "yard"], 2),
        (["rename-source", "gate", "street"], 2),
        (["forget", "--source", "gatr", "--yes"], 2),
    ],
)
def test_a_command_that_finishes_an_interrupted_one_still_refuses_its_own_bad_request(
    house: Callable[[str], House],
    footage: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    code: int,
) -> None:
    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    there = house("there")
    there("produce", footage / "cam.mp4", "--source", "gate", "--start-time", RIGHT)
    with monkeypatch.context() as patch:
        patch.setattr("frametally.media.corrections.rename_source", kill)
        there("rename-source", "gate", "yard", code=130)
    told = there(*command, code=code)
    assert "finished: rename-source of gate" in told
    assert ("no footage from source" in told) == (code == 2)
