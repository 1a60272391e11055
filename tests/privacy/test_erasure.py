"""An erased range is gone from every object of the store, and everything else is unchanged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.capabilities import needs
from tests.commands import line_of
from tests.fakes.records import make_manifest
from tests.privacy.erased_footage import (
    ERASED,
    FROM_MS,
    MINUTE_MS,
    RANGE,
    START_MS,
    TO_MS,
    Footage,
    filmed,
    opened,
)

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.backups import store_backup
from frametally.books.runs import current_runs, read_run
from frametally.checkup.findings import Glance
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally_accounts.audit.book import AuditBook
from frametally_cli.main import main
from frametally_privacy import erasure
from frametally_privacy.erased_boxes import ErasedFrames, erase_boxes, segments_with_boxes
from frametally_privacy.erasure_records import Erasure, erasures
from frametally_privacy.hooks import findings

Answered = Callable[..., str]


@pytest.fixture(scope="module")
def counted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of counted footage; each test changes a copy."""
    folder = tmp_path_factory.mktemp("counted")
    with filmed(folder):
        return folder


@pytest.fixture
def footage(counted_folder: Path, tmp_path: Path) -> Iterator[Footage]:
    shutil.copytree(counted_folder, tmp_path, dirs_exist_ok=True)
    with opened(tmp_path) as place:
        yield place


@pytest.fixture
def answered(footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answered:
    """Run a privacy command; return its output."""
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FRAMETALLY_INTERVAL_S", "60")
    monkeypatch.setenv("COLUMNS", "200")

    return partial(line_of, "privacy")


def counted(footage: Footage, source: str) -> dict[tuple[int, int], int]:
    """The boxes by the interval's length and start."""
    return {
        (run.interval_s, count.interval_start_ms): count.detections
        for run in current_runs(footage.store)
        for count in read_run(footage.store, run)[0]
        if count.source == source
    }


@pytest.mark.thorough
@pytest.mark.parametrize("packed", [False, True])
def test_an_erased_range_is_in_no_object_of_the_store_and_the_rest_stays(
    packed: bool, footage: Footage, answered: Answered
) -> None:
    if packed:
        footage.pack("gate")
    before, counts, dock = footage.stored(), counted(footage, "gate"), counted(footage, "dock")
    pictures = list(footage.store.list(f"{keys.IMAGES}/gate"))
    assert footage.holding(ERASED)
    answered("erase", "--source", "gate", *RANGE, "--yes")
    assert footage.holding(ERASED) == []
    left = {info.key for info in footage.store.list(f"{keys.IMAGES}/gate")}
    gone = {info.key for info in pictures} - left
    assert len(gone) == 60 and len(left) == 180
    after = footage.stored()
    assert {key for key in before if "dock" in key and key.startswith("images")} <= after.keys()
    assert counted(footage, "dock") == dock
    minutes = {key: number for key, number in counts.items() if key != (60, FROM_MS)}
    assert counted(footage, "gate") == minutes | {(600, START_MS): 180}
    assert footage.lost() == 0


def test_erasing_a_whole_source_leaves_no_picture_manifest_or_count(
    footage: Footage, answered: Answered
) -> None:
    answered("erase", "--source", "gate", "--from", "2024-05-14", "--to", "2024-05-15", "--yes")
    assert footage.holding(ERASED) == []
    assert {key.split("/")[0] for key in footage.holding("gate")}.isdisjoint({"images", "media", "hours"})
    assert counted(footage, "gate") == {}
    assert footage.lost() == 0


@pytest.mark.thorough
def test_an_erased_range_is_in_no_file_while_the_dashboard_has_the_databases_open(
    footage: Footage, answered: Answered, tmp_path: Path
) -> None:
    def files() -> list[str]:
        return [
            str(path)
            for path in tmp_path.rglob("*")
            if path.is_file() and ERASED.encode() in path.read_bytes()
        ]

    settings = footage.settings
    with (
        closing(open_count_index(settings.index_url, settings.index_access)) as index,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        assert index.current_runs() and ledger.models()
        assert any("index.sqlite" in path for path in files())
        answered("erase", "--source", "gate", *RANGE, "--yes")
        assert files() == []
        assert {run.frames for run in index.current_runs()} == {420}


def test_two_erasures_of_one_segment_do_not_restore_each_others_boxes(footage: Footage) -> None:
    with closing(open_ledger(footage.settings.ledger_url, footage.settings.ledger_access)) as ledger:
        ledger.refresh(footage.store, NoProgress())
        halves = [
            ErasedFrames("gate", from_ms, from_ms + MINUTE_MS // 2, frozenset(), frozenset())
            for from_ms in (FROM_MS, FROM_MS + MINUTE_MS // 2)
        ]
        found = [next(segments_with_boxes(footage.store, ledger, frames)) for frames in halves]
        assert found[0] == found[1] and found[0][1] == 30
        for frames in halves:
            erase_boxes(footage.store, found[0][0], frames)
        assert all(list(segments_with_boxes(footage.store, ledger, frames)) == [] for frames in halves)
    assert not [key for key in footage.holding(ERASED) if key.startswith(keys.METADATA)]
    assert footage.lost() == 0


@pytest.mark.parametrize("span", [RANGE, ("--from", "2024-05-14", "--to", "2024-05-15")])
def test_repeating_an_erasure_names_its_receipt_and_succeeds(
    span: tuple[str, ...], footage: Footage, answered: Answered
) -> None:
    answered("erase", "--source", "gate", *span, "--yes")
    [receipt], stored = erasures(footage.store), footage.stored()
    again = answered("erase", "--source", "gate", *span, "--yes")
    assert f"already erased, with receipt {receipt.id}: {receipt.in_words}; nothing is left" in again
    answered("erase", "--source", "gate", *span, "--dry-run")
    assert footage.stored() == stored
    wider = ("--from", "2024-05-13", "--to", "2024-05-14")
    assert "error:" in answered("erase", "--source", "gate", *wider, "--yes", code=2)


def test_counts_stay_if_you_keep_them(footage: Footage, answered: Answered) -> None:
    counts = counted(footage, "gate")
    assert "counts and boxes stay" in answered("erase", "--source", "gate", *RANGE, "--keep-counts", "--yes")
    assert {key.split("/")[0] for key in footage.holding(ERASED)} == {"metadata", "hours", "mapreduce-output"}
    footage.count()
    assert counted(footage, "gate") == counts


def test_a_dry_run_shows_what_would_be_erased_and_changes_nothing(
    footage: Footage, answered: Answered
) -> None:
    before = footage.stored()
    table = answered("erase", "--source", "gate", *RANGE, "--dry-run")
    assert "frames 60" in table and "frames with boxes 60" in table
    body = json.loads(answered("erase", "--source", "Gate", *RANGE, "--dry-run", "--json"))
    assert body["kinds"][0] == {"kind": "frames", "items": 60, "size_bytes": body["kinds"][0]["size_bytes"]}
    assert footage.stored() == before


def test_the_receipt_is_in_the_audit_log_and_lists_the_backups(footage: Footage, answered: Answered) -> None:
    backup = store_backup(footage.store, b"a backup", START_MS)
    printed = answered("erase", "--source", "gate", *RANGE, "--yes")
    assert backup in printed and "does not change backups" in printed
    (receipt,) = erasures(footage.store)
    assert receipt.backups == (backup,) and receipt.ended_at_ms is not None
    assert [(kind.kind, kind.items) for kind in receipt.erased][:2] == [
        ("frames", 60),
        ("frames with boxes", 60),
    ]
    settings = footage.settings
    with closing(AuditBook(settings.catalogue_url, settings.catalogue_access)) as book:
        targets = {change.entry.what: change.entry.target for change in book.changes(10)[0]}
    assert receipt.id in targets["privacy erase: receipt"]
    assert 'source="gate"' in targets["privacy erase"]


def test_a_clock_that_is_set_back_changes_neither_the_erasure_nor_the_list_of_backups(
    footage: Footage, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = store_backup(footage.store, b"a backup", START_MS)
    monkeypatch.setattr(erasure, "time", SimpleNamespace(time=lambda: 0.0))
    assert backup in answered("erase", "--source", "gate", *RANGE, "--yes")
    assert footage.holding(ERASED) == []


def test_status_names_an_interrupted_erasure_until_it_is_finished(
    footage: Footage, answered: Answered
) -> None:
    assert [*findings(Glance(footage.settings, footage.store))] == []
    noted = Erasure(
        id="0123456789ab", source="gate", from_ms=FROM_MS, to_ms=TO_MS, keeps_counts=True, began_at_ms=1
    )
    footage.store.put(noted.key, encode(noted))
    (found,) = findings(Glance(footage.settings, footage.store))
    assert "unfinished erasure of gate, 2024-05-14 12:01:00Z" in found.line
    answered("erase", "--source", "gate", *RANGE, "--keep-counts", "--yes")
    assert [*findings(Glance(footage.settings, footage.store))] == []
    assert footage.holding(f"a picture of a {ERASED}") == []


@pytest.mark.thorough
@needs("retention")
def test_an_interrupted_erasure_neither_stops_nor_replaces_another_one(
    footage: Footage, answered: Answered
) -> None:
    from frametally_retention.policy import LegalHold, put_hold, release_hold

    noted = Erasure(
        id="0123456789ab", source="dock", from_ms=FROM_MS, to_ms=TO_MS, keeps_counts=False, began_at_ms=1
    )
    footage.store.put(noted.key, encode(noted))
    put_hold(footage.store, LegalHold(name="case-7", source="dock", set_at_ms=0))
    message = answered("erase", "--source", "dock", *RANGE, "--yes", code=2)
    assert "a legal hold keeps this footage: case-7" in message
    message = answered("erase", "--source", "gate", *RANGE, "--yes")
    assert "not finished: a legal hold keeps it: case-7" in message and "receipt" in message
    assert footage.holding(ERASED) == []
    assert len(list(footage.store.list(f"{keys.IMAGES}/dock"))) == 240
    release_hold(footage.store, "case-7")
    assert "no footage from source 'gatr'" in answered("erase", "--source", "gatr", *RANGE, "--yes", code=2)
    assert [*findings(Glance(footage.settings, footage.store))] == []


@pytest.mark.thorough
def test_forgotten_pictures_that_were_left_behind_are_also_erased(
    footage: Footage, answered: Answered
) -> None:
    assert main(["forget", "--source", "gate", "--yes"]) == 0
    assert footage.holding(f"a picture of a {ERASED}")
    answered("erase", "--source", "gate", *RANGE, "--yes")
    assert footage.holding(ERASED) == []
    assert len(list(footage.store.list(f"{keys.IMAGES}/gate"))) == 180


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--source", "gatr", *RANGE],
            "no footage from source 'gatr' has been produced; sources: Dock, Gate",
        ),
        (["--source", "../gate", *RANGE], "no footage from source"),
        (["--source", "gate", "--from", "2025-01-01", "--to", "2025-01-02"], "there is nothing of gate"),
        (["--source", "gate", "--from", "2024-05-15", "--to", "2024-05-14"], "--from must be before --to"),
        (["--source", "gate", "--from", "2024-05-14"], "Missing option '--to'"),
        (["--source", "gate", *RANGE, "--json"], "--json needs --dry-run"),
    ],
)
def test_bad_input_gives_one_message_and_erases_nothing(
    arguments: list[str], words: str, footage: Footage, answered: Answered
) -> None:
    before = footage.stored()
    message = answered("erase", *arguments, *([] if "--json" in arguments else ["--yes"]), code=2)
    assert words in message
    assert message.count("error:") <= 1
    assert footage.stored() == before


@pytest.mark.thorough
@needs("retention")
def test_a_legal_hold_refuses_an_erasure_and_a_later_hold_says_that_data_was_being_removed(
    footage: Footage, answered: Answered
) -> None:
    from frametally_retention.policy import LegalHold, put_hold, release_hold

    hold = LegalHold(name="case-7", source="gate", from_ms=TO_MS - 1, set_at_ms=0)
    assert put_hold(footage.store, hold) == []
    before = footage.stored()
    for more in (["--yes"], ["--dry-run"]):
        message = answered("erase", "--source", "gate", *RANGE, *more, code=2)
        assert "a legal hold keeps this footage: case-7 (gate, from 2024-05-14" in message
    assert footage.stored() == before
    release_hold(footage.store, "case-7")
    answered("erase", "--source", "gate", *RANGE, "--yes")
    (removal,) = put_hold(
        footage.store, LegalHold(name="late", source="gate", set_at_ms=erasures(footage.store)[0].began_at_ms)
    )
    assert (removal.from_ms, removal.to_ms) == (FROM_MS, TO_MS - 1)


@pytest.mark.thorough
@needs("videos")
def test_an_upload_that_extends_beyond_the_range_loses_its_files_and_one_within_is_removed(
    footage: Footage, answered: Answered
) -> None:
    from tests.videos.video_records import make_video

    from frametally_videos.catalogue_by_url import open_video_catalogue
    from frametally_videos.records import VideoRecord

    videos: list[VideoRecord] = []
    for number, first_ms in ((1, FROM_MS - 5000), (2, FROM_MS + 5000), (3, TO_MS)):
        video = make_video(number)
        manifest = make_manifest(1, media=video.sha256, source="gate", span_ms=(first_ms, first_ms + 20_000))
        footage.store.put(manifest.key, encode(manifest))
        footage.store.put(video.key, encode(video))
        for key in (
            keys.original_key(video.id),
            keys.derivative_key(video.id, "playable", "0a1b2c3d"),
            keys.preview_key(video.id, "poster-0a1b2c3d.jpg"),
        ):
            footage.store.put(key, b"a video of a " + (ERASED if number < 3 else "car").encode())
        videos.append(video)
    open_video_catalogue(footage.settings.catalogue_url).close()
    answered("erase", "--source", "gate", *RANGE, "--yes")
    assert footage.holding(ERASED) == []
    stored = footage.stored()
    beyond, within, after = (
        sorted(key.rpartition("/")[2] for key in stored if key.startswith(f"videos/{video.id}"))
        for video in videos
    )
    assert beyond == ["video.json"]
    assert within in ([], ["video.json"])
    assert after == ["original", "playable-0a1b2c3d.mp4", "poster-0a1b2c3d.jpg", "video.json"]
