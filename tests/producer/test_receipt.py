"""A receipt lists what became of every file of a folder, in any order and split into any runs."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.commands import frametally
from tests.examples import examples
from tests.kit.clips import MakeFile
from tests.producer.conftest import Bench, encode_picture, encode_video

from frametally_producer.writing.receipt import ReceiptFile, ReceiptRow

NAMED = "cam_%Y%m%d_%H%M%S*"


def listed(text: str) -> dict[str, tuple[str, str]]:
    """State and number of frames by name, as a CSV receipt has them."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    return {Path(row["path"]).name: (row["state"], row["frames"]) for row in rows}


def archive(make_video: MakeFile, make_picture: MakeFile) -> Path:
    """A folder with a file of every kind."""
    whole = make_video("arc/cam_20260501_080000.mkv", 60)
    cut = make_video("arc/cam_20260501_090000.mkv", 61)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    make_video("arc/cam_20260501_080002.mp4", 20)  # within the first one's time
    make_picture("arc/cam_20260501_080003.jpg")  # so is this moment
    make_picture("arc/cam_20260501_100000.jpg", index=1)
    (whole.parent / "bad.mp4").write_bytes(b"no video")
    (whole.parent / "=1+1.y4m").write_bytes(b"no formula")
    (whole.parent / "old.heic").write_bytes(b"other footage")
    return whole.parent


@pytest.fixture
def produce(bench: Bench) -> Callable[..., str]:
    def run(*arguments: object, code: int = 6) -> str:
        usual = ("--data-dir", bench.folder / "data", "--time-pattern", NAMED, "--source", "cam")
        return frametally("produce", *arguments, *usual, code=code).err

    return run


@pytest.mark.thorough
def test_every_file_of_a_folder_is_listed_with_its_outcome_and_the_next_call_reports_changes(
    produce: Callable[..., str], tmp_path: Path, make_video: MakeFile, make_picture: MakeFile
) -> None:
    folder, receipt = archive(make_video, make_picture), tmp_path / "receipt.csv"
    said = produce(folder, "--receipt", receipt)
    first = {
        "cam_20260501_080000.mkv": ("counted", "30"),
        "cam_20260501_080002.mp4": ("part", "10"),
        "cam_20260501_080003.jpg": ("superseded", "1"),
        "cam_20260501_090000.mkv": ("part", listed(receipt.read_text())["cam_20260501_090000.mkv"][1]),
        "cam_20260501_100000.jpg": ("counted", "1"),
        "bad.mp4": ("skipped", ""),
        "old.heic": ("skipped", ""),
        "=1+1.y4m": ("passed over", ""),
    }
    assert listed(receipt.read_text()) == first
    assert f"{receipt}: 8 files: 1 passed over, 2 skipped, 2 counted, 2 part, 1 superseded" in said

    # What an earlier run did is known, and what it could not read stays in part.
    said = produce(folder, "--receipt", receipt)
    now = listed(receipt.read_text())
    assert now == {name: ("known" if state == "counted" else state, n) for name, (state, n) in first.items()}
    assert "since the earlier receipt: nothing has changed" in said

    (folder / "bad.mp4").unlink()
    make_video("arc/cam_20260501_110000.mp4", 21)
    whole = encode_video(tmp_path / "x.mkv", 61).read_bytes()
    (folder / "cam_20260501_090000.mkv").write_bytes(whole)
    said = produce(folder, "--receipt", receipt)
    assert "2 files added, such as" in said  # the earlier version is listed from now on
    assert "1 file removed, such as" in said
    assert "1 file changed, such as" in said
    assert "(part, now counted)" in said
    rows = [
        row for row in csv.DictReader(receipt.read_text("utf-8-sig").splitlines()) if "_090000" in row["path"]
    ]
    assert {row["state"]: bool(row["size_bytes"]) for row in rows} == {"counted": True, "superseded": False}


def test_a_receipt_can_be_json_and_overwrites_no_file_that_is_not_one(
    produce: Callable[..., str], tmp_path: Path, make_video: MakeFile
) -> None:
    folder = make_video("arc/cam_20260501_080000.mp4").parent
    produce(folder, "--receipt", tmp_path / "a.json", code=0)
    [row] = json.loads((tmp_path / "a.json").read_text())
    assert (row["state"], row["frames"], row["source"], row["reason"]) == ("counted", 5, "cam", "")
    for name, content in (("a.csv", "a,b\n1,2\n"), ("b.json", "{}"), ("c.json", '[{"path": 1}]')):
        (tmp_path / name).write_text(content)
        said = produce(folder, "--receipt", tmp_path / name, code=2)
        assert "exists and is not a receipt" in said
        assert "choose another name" in said
        assert (tmp_path / name).read_text() == content
    for arguments, why in (
        (["--receipt", tmp_path / "clip.mp4"], "does not end with .csv or .json"),
        (["--receipt", tmp_path / "no/a.csv"], "does not exist"),
        (["--receipt", tmp_path / "x.csv", "--dry-run"], "--dry-run writes nothing"),
    ):
        assert why in produce(folder, *arguments, code=2)


def test_a_receipt_in_the_folder_does_not_list_itself(
    produce: Callable[..., str], make_video: MakeFile
) -> None:
    folder = make_video("arc/cam_20260501_080000.mp4").parent
    for _ in range(2):
        said = produce(folder, "--receipt", folder / "receipt.csv", code=0)
        assert "1 file: 1 " in said
        assert "passed over" not in said


@pytest.mark.thorough
@settings(
    max_examples=examples(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.permutations(range(5)), split=st.integers(0, 5), doubled=st.integers(0, 4))
def test_order_splits_and_repeats_change_nothing_in_a_receipt(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], split: int, doubled: int
) -> None:
    bench = Bench(tmp_path_factory.mktemp("receipt"))
    folder = bench.folder / "arc"
    folder.mkdir()
    for number in range(3):  # each begins within the one before
        encode_video(folder / f"cam_20260501_08000{number * 2}.mp4", 25 + number)
    (folder / "cam_20260501_080001.jpg").write_bytes(encode_picture())
    (folder / "bad.mp4").write_bytes(b"no video")
    paths = [sorted(folder.iterdir())[number] for number in order]
    options: dict[str, Any] = {"source": "cam", "time_pattern": NAMED}
    for part in (paths[:split], paths[split:], [paths[doubled]]):
        if part:
            bench.produce(*part, **options)
    rows = bench.produce(folder, receipt=bench.folder / "r.csv", **options).receipt
    assert {Path(row.path).name: row.state for row in rows} == {
        "bad.mp4": "skipped",
        "cam_20260501_080000.mp4": "known",
        "cam_20260501_080001.jpg": "superseded",
        "cam_20260501_080002.mp4": "part",
        "cam_20260501_080004.mp4": "part",
    }
    shutil.rmtree(bench.folder)


def test_files_after_a_stop_are_not_reached(bench: Bench) -> None:
    for number in range(3):
        folder = bench.video(f"arc/{number}.mp4", 5 + number).parent
    report = bench.produce(
        folder, receipt=bench.folder / "r.csv", should_stop=lambda: bool(bench.log.announcements)
    )
    assert report.stopped
    states = [row.state for row in report.receipt]
    assert states[0] in ("counted", "part")
    assert states[-1] == "not reached"


def test_a_file_named_like_a_formula_is_the_same_file_at_the_next_run(tmp_path: Path) -> None:
    row = ReceiptRow(path="=1+1.mp4", size_bytes=1, state="counted", frames=None, reason="-x")
    ReceiptFile(tmp_path / "a.csv").write([row])
    assert "'=1+1.mp4" in (tmp_path / "a.csv").read_text()
    _, differences = ReceiptFile(tmp_path / "a.csv").write([row])
    assert "nothing has changed" in differences
