"""Dead letters, lost messages and lost pictures on the command line: the books, and their repair."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.commands import CommandLine, findings
from tests.pipeline.conftest import part_files

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore

pytestmark = pytest.mark.thorough

ENV = {
    "FRAMETALLY_DETECTOR": "pixels",
    "FRAMETALLY_INTERVAL_S": "1",
    "FRAMETALLY_COUNT_OBJECTS": "false",
    "FRAMETALLY_TIME_PATTERN": "cam_%Y%m%d_%H%M%S",
}
TOPIC, PICTURES = "frames", 12


class House:
    """A data folder with produced footage, and the command line on it, in this process."""

    def __init__(self, folder: Path, footage: Path) -> None:
        self._frametally = CommandLine(folder)
        self.folder = folder
        self.data_dir = folder / "frametally-data"
        self.footage = footage
        self.produce()

    def __call__(self, *arguments: object, code: int = 0) -> str:
        said = self._frametally(*arguments, code=code)
        return " ".join((said.out + said.err).split())

    def produce(self, footage: Path | None = None) -> str:
        return self("produce", footage or self.footage, "--source", "Gate")

    def count(self, *, in_part: bool = False) -> None:
        self("consume", "--until-caught-up", code=6 if in_part else 0)
        self("aggregate")
        self("index")

    def status(self, code: int = 0) -> dict[str, Any]:
        return json.loads(self._frametally("status", "--json", code=code).out)

    def store(self) -> ObjectStore:
        return open_object_store(f"file://{self.data_dir}/store")

    def log(self) -> FrameLog:
        return open_frame_log(f"sqlite:///{self.data_dir}/log.sqlite")

    def images(self) -> list[Path]:
        return sorted((self.data_dir / "store" / keys.IMAGES).rglob("*.jpg"))


def write_pictures(folder: Path, day: str) -> Path:
    folder.mkdir()
    for n in range(PICTURES):
        noise = np.random.default_rng(n).integers(0, 100, (48, 64, 3), np.uint8)
        image = cv2.blur(noise, (5, 5))
        for patch in range(n % 3 + 1):
            image[8 + n : 20 + n, 4 + 20 * patch : 16 + 20 * patch] = 255
        cv2.imwrite(str(folder / f"cam_{day}_1200{n:02d}.jpg"), image)
    return folder


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "footage", "20260301")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, footage: Path) -> Callable[[str], House]:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    return lambda name: House(tmp_path / name, footage)


def test_dropped_and_replayed_dead_letters_leave_books_and_counts_unchanged(
    house: Callable[[str], House],
) -> None:
    mended, right = house("mended"), house("right")
    picture = mended.images()[5]
    data = picture.read_bytes()
    picture.unlink()
    with closing(mended.log()) as log:
        log.publish(TOPIC, [(b"k", b"\xff"), (b"k", b"{}")])
    mended.count(in_part=True)
    status = mended.status()
    assert (status["dead_letters"], status["unidentified_dead_letters"]) == (
        {"malformed": 2, "missing": 1},
        2,
    )
    [books] = status["sources"]
    assert (books["announced"], books["detected"], books["dead_lettered"]) == (PICTURES, PICTURES - 1, 1)
    assert "missing 1); run" in mended("status")

    assert "2 dropped" in mended("dead-letters", "drop", "--cause", "malformed")
    status = mended.status()
    assert (status["dead_letters"], status["unidentified_dead_letters"]) == ({"missing": 1}, 0)
    mended("ledger", "rebuild")
    assert mended.status()["dead_letters"] == {"missing": 1}

    picture.write_bytes(data)
    assert "1 announced again" in mended("dead-letters", "replay")
    assert mended.status(code=4)["log_messages"] == PICTURES + 3
    mended.count()
    status = mended.status()
    assert (status["dead_letters"], status["verdict"], status["lost"]) == ({}, "settled", [])
    right.count()
    assert part_files(mended.data_dir) == part_files(right.data_dir)


@pytest.mark.parametrize("remedy", ["redetect", "forget"])
def test_messages_lost_inside_a_segment_are_counted_without_a_gap_and_status_says_how_to_recover(
    house: Callable[[str], House], tmp_path: Path, remedy: str
) -> None:
    mended, right = house("mended"), house("right")
    with closing(mended.log()) as log:
        member = log.subscribe(TOPIC, "another", on_assigned=lambda _: None, on_revoked=lambda _: None)
        member.poll(timeout_s=1, max_records=0)
        lost = log.end_offsets(TOPIC)
        for partition, end in lost.items():
            member.commit(partition, end)
        member.close()
        assert log.trim(TOPIC) == PICTURES
    later = write_pictures(tmp_path / "later", "20260302")
    for one in (mended, right):
        one.produce(later)  # the log continues at higher offsets
        one.count(in_part=one is mended)
    status = mended.status(code=3)
    assert {one["partition"]: one["messages"] for one in status["lost"]} == {
        p: n for p, n in lost.items() if n
    }
    assert sum(one["messages"] for one in status["lost"]) == PICTURES
    [broken] = status["broken"]
    assert broken.startswith(
        f"Gate: {PICTURES} announced frames are in no segment although the log is drained; "
    )
    assert "left the log before a consumer read them" in mended("status", code=3)

    if remedy == "redetect":
        said = mended(*broken.split("`")[1].split()[1:])
        mended(*said.partition("analyse them with: frametally ")[2].split()[:4])
    else:
        assert "or `frametally forget` its media and produce them again" in broken
        mended("forget", mended.footage, "--yes")
        mended.produce()
    mended.count()
    assert mended.status()["verdict"] == "settled"
    assert part_files(mended.data_dir) == part_files(right.data_dir)


def test_pictures_lost_in_a_power_cut_are_dead_letters_until_their_medium_is_produced_again(
    house: Callable[[str], House],
) -> None:
    mended, right = house("mended"), house("right")
    # Announced, in the manifest, and not on the disk: put without a sync, as if the power failed.
    gone, empty, torn, zeros, tail = mended.images()[2:12:2]
    data = torn.read_bytes()
    tail.write_bytes(tail.read_bytes()[:-12] + bytes(12))  # which a decoder accepts as complete
    gone.unlink()
    empty.write_bytes(b"")
    torn.write_bytes(data[: len(data) // 2])
    zeros.write_bytes(bytes(len(zeros.read_bytes())))
    mended.count(in_part=True)
    status = mended.status()
    assert status["dead_letters"] == {"checksum": 4, "missing": 1}
    assert status["sources"][0]["dead_lettered"] == 5
    assert "(checksum 4, missing 1)" in mended("status")
    said = mended("dead-letters", "replay", code=2)
    assert said.count("`frametally forget` its footage and produce it again") == 5
    assert f"{PICTURES} already known" in mended.produce(), (
        "what its manifest has, producing it again leaves alone"
    )

    mended("forget", mended.footage, "--yes")
    assert f"{PICTURES} announced" in mended.produce()
    assert [path.read_bytes() for path in mended.images()] == [path.read_bytes() for path in right.images()]
    mended.count()
    status = mended.status()
    assert (status["verdict"], status["dead_letters"]) == ("settled", {})
    assert "no dead letters" in mended("dead-letters", "list")
    right.count()
    assert part_files(mended.data_dir) == part_files(right.data_dir)


def test_a_lost_log_is_restored_by_removing_the_manifests_and_each_frame_counts_once(
    house: Callable[[str], House], tmp_path: Path
) -> None:
    mended, right = house("mended"), house("right")
    later = write_pictures(tmp_path / "later", "20260302")
    for one in (mended, right):
        one.count()
        one.produce(later)
    for file in mended.data_dir.glob("log.sqlite*"):
        file.unlink()
    assert f"0 announced, {PICTURES} already known" in mended.produce(later)
    assert f"Gate: {PICTURES} announced frames are in no segment" in str(mended.status(code=3)["broken"])
    with closing(mended.store()) as store:
        for info in list(store.list(f"{keys.MEDIA}/")):
            store.delete(info.key)
    for footage in (mended.footage, later):
        assert f"{PICTURES} announced, 0 already known" in mended.produce(footage)
    for one in (mended, right):
        one.count()
    [books] = mended.status()["sources"]
    assert (mended.status()["verdict"], books["detected"]) == ("settled", 2 * PICTURES)
    assert part_files(mended.data_dir) == part_files(right.data_dir)


@pytest.mark.parametrize("damage", ["empty", "short", "zeros", "another"])
def test_footage_whose_pictures_were_lost_on_disk_keeps_its_counts_and_is_named(
    house: Callable[[str], House], damage: str
) -> None:
    gate = house("gate")
    gate.count()
    before = part_files(gate.data_dir)
    assert "pictures all of them 12 listed, 12 read" in findings(gate("doctor", "--deep", "--json"))
    picture = gate.images()[3]
    data = picture.read_bytes()
    picture.write_bytes(
        {
            "empty": b"",
            "short": data[:-100],
            "zeros": data[:-2] + bytes(-len(data) % 4096 + 4098) + data[-2:],
            "another": gate.images()[4].read_bytes(),
        }[damage]
    )
    told = findings(gate("doctor", "--deep", "--json", code=2))
    assert ("gate 1 empty picture" if damage == "empty" else "gate 1 damaged of those read") in told
    if damage != "another":  # announced anew, it would be what the store has
        for command in (
            ("rename-source", "Gate", "Court"),
            ("retime", "--source", "Gate", "--start-time", "2026-03-02T12:00:00Z"),
        ):
            assert "1 removed, such as by `frametally retention`, or lost in a power cut" in gate(
                *command, code=2
            )
    gate.count()
    assert part_files(gate.data_dir) == before
