"""How far an uploaded video has come is found out from what there is, whatever was killed in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.fakes.memory import MemoryStore
from tests.fakes.records import (
    DAY_MS,
    make_count,
    make_coverage,
    make_frame,
    make_letter,
    make_manifest,
    make_run,
    make_segment,
    put_run,
)
from tests.videos.video_records import corrected, make_facts, make_video

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.media.forgetting import put_tombstone
from frametally.media.manifests import find_record
from frametally.records import DeadLetter, Detection, MediaManifest, encode
from frametally.rules.blank_stretches import BlankPart
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import VideoBooks, VideoRow
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.jobs.job_results import take_in
from frametally_videos.jobs.video_states import FORGOTTEN, StateSettler
from frametally_videos.library_answers import video_of
from frametally_videos.media_records import VideoCheck, VideoQuality
from frametally_videos.records import VideoRecord

MODEL = "m"
VIDEO = make_video(
    source_name="cam", facts=make_facts(started_at_ms=DAY_MS, time_source="start_time", duration_s=9.0)
)


def announced(frames: int = 3, **values: Any) -> MediaManifest:
    """The manifest of `VIDEO`, a frame a second."""
    usual: dict[str, Any] = {
        "start_ms": DAY_MS,
        "first_captured_at_ms": DAY_MS,
        "last_captured_at_ms": DAY_MS + 1000 * (frames - 1),
    }
    manifest = make_manifest(frames, media=VIDEO.sha256, source="cam")
    return msgspec.structs.replace(manifest, **{**usual, **values})


class House:
    """The embedded parts, with one video in them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.store = MemoryStore()
        self.index = stack.enter_context(closing(open_count_index(f"sqlite:///{folder}/index.sqlite")))
        self.ledger = stack.enter_context(closing(open_ledger(f"sqlite:///{folder}/ledger.sqlite")))
        self.catalogue = stack.enter_context(
            closing(open_video_catalogue(f"sqlite:///{folder}/catalogue.sqlite"))
        )
        self.settler = StateSettler(
            settings=Settings(
                data_dir=folder, interval_s=60, smtp_url="smtp://127.0.0.1:1", mail_to="a@b.example"
            ),
            store=self.store,
            index=self.index,
            ledger=self.ledger,
            catalogue=self.catalogue,
        )
        self._offset = 0
        self._sequence = 0
        self.put(VIDEO)

    def put(self, record: VideoRecord) -> None:
        self.store.put(record.key, encode(record))
        self.catalogue.put_video(record, "v1")

    def run(self, kind: Any = "frames", *, until: Any = "done", reason: str | None = None) -> None:
        """A job of the video, begun and brought to an end (None: left as it is at work)."""
        self.catalogue.queue(VIDEO.id, kind)
        job = self.catalogue.claim("w", (kind,), lease_s=3600)
        assert job is not None
        if until is not None:
            assert self.catalogue.end(job, until, reason=reason)

    def analyse(self, manifest: MediaManifest | None = None) -> None:
        """All work on the video before its counts: three frames are announced and detected."""
        self.run()
        self.announce(manifest or announced(3))
        self.detect(0, 1, 2)

    def announce(self, manifest: MediaManifest) -> None:
        self.store.put(manifest.key, encode(manifest))

    def detect(
        self,
        *seconds: int,
        media: str = VIDEO.sha256,
        dead: tuple[int, ...] = (),
        source: str = "cam",
        **values: Any,
    ) -> None:
        """A segment with frames of these seconds."""
        frames = [
            replace(make_frame(DAY_MS + 1000 * at, at, media=media, model=MODEL, source=source), **values)
            for at in seconds
        ]
        letters = [_dead_letter(at, media) for at in dead]
        first, self._offset = self._offset, self._offset + len(frames) + len(letters)
        self.store.put(
            keys.segment_key(MODEL, "log", "frames", 0, first),
            make_segment(frames, letters, first, next_offset=self._offset, model=MODEL, log_id="log"),
        )

    def count(self, frames: int, cars: int = 2, *, black: int = 0) -> None:
        """A run of the day, counted and indexed; more frames of it are black."""
        self._sequence += 1
        run = msgspec.structs.replace(
            make_run(parts=[]), sequence=self._sequence, run_id=f"{self._sequence:06d}-5555555555555555"
        )
        assert run.model == MODEL
        counts = [make_count(DAY_MS, "car", cars, source="cam", evidence=[])] if cars else []
        blank: list[BlankPart] = [("black", black, 1000 * black)] if black else []
        coverage = make_coverage(DAY_MS, frames, source="cam", blank=blank)
        assert self.index.publish(run, counts, [coverage])

    def settled(self) -> VideoRow:
        self.settler.settle(patiently=False)
        row = self.catalogue.video(VIDEO.id)
        assert row is not None
        return row

    def jobs(self) -> list[tuple[str, str]]:
        return [(job.kind, job.state) for job in self.catalogue.jobs(VIDEO.id)]


def _dead_letter(at: int, media: str) -> DeadLetter:
    return make_letter(0, make_frame(DAY_MS + 1000 * at, at, media=media), cause="undecodable")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(tmp_path, stack)


@pytest.mark.thorough
def test_a_video_goes_from_received_to_ready_with_its_account(house: House) -> None:
    house.catalogue.queue(VIDEO.id, "frames")
    assert house.settled().state == "received"

    house.run(until=None)
    house.announce(announced(3, state="producing", frames_announced=1))
    row = house.settled()
    assert (row.state, row.progress, row.books) == ("producing", pytest.approx(1 / 3), VideoBooks(3, 1))

    job = house.catalogue.jobs(VIDEO.id)[0]
    house.announce(announced(3))
    assert house.catalogue.end(job, "done")
    row = house.settled()
    assert (row.state, row.progress, row.books) == ("detecting", 0.0, VideoBooks(3, 3, 0, 0, 0))
    assert (row.first_captured_at_ms, row.last_captured_at_ms) == (DAY_MS, DAY_MS + 2000)

    house.detect(0, 1)
    row = house.settled()
    assert (row.state, row.progress) == ("detecting", pytest.approx(2 / 3))

    house.detect(2)
    row = house.settled()
    assert (row.state, row.progress, row.books) == ("counting", None, VideoBooks(3, 3, 3, 0, 0))

    house.count(2)
    row = house.settled()
    assert (row.state, row.books.counted) == ("counting", 2)

    house.count(3, cars=5)
    row = house.settled()
    assert (row.state, row.reason) == ("ready", None)
    assert row.books == VideoBooks(3, 3, 3, 0, 3, {"car": 5}, 3)
    assert house.catalogue.unsettled(9) == []


def test_frames_that_cannot_be_analysed_are_accounted_for(house: House) -> None:
    house.run()
    house.announce(announced(3))
    house.detect(0, 1, dead=(2,))
    house.count(2)
    row = house.settled()
    assert (row.state, row.books) == ("ready", VideoBooks(3, 3, 2, 1, 2, {"car": 2}, 2))


def test_a_video_without_detections_is_ready_with_no_label(house: House) -> None:
    house.analyse()
    house.count(3, cars=0)
    assert house.settled()[2:3] == ("ready",)
    assert house.settled().books.labels == {}


def test_a_video_with_a_black_stretch_is_ready_once_the_rest_is_counted(house: House) -> None:
    house.analyse()
    house.count(1, black=2)
    row = house.settled()
    assert (row.state, row.books) == ("ready", VideoBooks(3, 3, 3, 0, 3, {"car": 2}, visible_frames=1))
    assert row.reason is not None and "2 frames of its time show nothing" in row.reason
    assert video_of(row, "UTC").detections_counted == 2


def test_a_black_video_has_no_number_and_says_why(house: House) -> None:
    house.analyse()
    house.count(0, cars=0, black=3)
    row = house.settled()
    answer = video_of(row, "UTC")
    assert (answer.state, answer.detections_counted) == ("ready", None)
    assert answer.reason is not None and "3 frames of its time show nothing" in answer.reason


@pytest.mark.parametrize("is_first", [True, False], ids=["checked before", "checked after"])
@pytest.mark.parametrize(("confidence", "is_black"), [(0.9, False), (0.1, True)], ids=["counted", "weak"])
def test_a_dark_video_with_counted_boxes_is_no_longer_black(
    house: House, confidence: float, is_black: bool, is_first: bool
) -> None:
    checks = [VideoCheck(name="black", passed=False, sentence="", measured=1, limit=0.05, unit="1")]
    quality = VideoQuality(video_id=VIDEO.id, sha256=VIDEO.sha256, made_by="1", passed=False, checks=checks)

    def check() -> None:
        house.store.put(quality.key, encode(quality))
        take_in(house.settler.settings, house.store, house.catalogue, VIDEO.id, "checks", [])

    house.run()
    if is_first:
        check()
        assert house.catalogue.notices(9) == [], "no news before its boxes are known"
    house.announce(announced(3))
    box = Detection(label="car", confidence=confidence, box=(1, 1, 60, 40))
    house.detect(0, 1, 2, shows="black", detections=[box])
    house.count(3)
    assert house.settled().state == "ready"
    if not is_first:
        check()
        assert house.settled().state == "ready"
    kept = find_record(house.store, quality.key, VideoQuality)
    assert kept.fails_black is is_black is not kept.passed
    told = {notice.subject for notice in house.catalogue.notices(9)}
    assert (f"{VIDEO.name} did not pass black" in told) is is_black


def test_a_failed_video_keeps_its_reason(house: House) -> None:
    house.run(until="failed", reason="Its decoder was killed 3 times.")
    row = house.settled()
    assert (row.state, row.reason) == ("failed", "Its decoder was killed 3 times.")
    assert house.catalogue.unsettled(9) == []


def test_missing_preview_pictures_do_not_hold_back_the_counts(house: House) -> None:
    house.run()
    house.run("previews", until="failed", reason="it has no picture")
    house.announce(announced(1))
    house.detect(0)
    house.count(1)
    row = house.settled()
    assert (row.state, row.reason) == ("ready", "Its pictures could not be made: it has no picture")


def test_a_failed_browser_version_leaves_the_video_ready(house: House) -> None:
    house.analyse()
    house.count(3)
    house.run("playable", until="failed", reason="No encoder works here.")
    row = house.settled()
    assert (row.state, row.reason) == (
        "ready",
        "The version for browsers could not be made: No encoder works here.",
    )
    assert row.books.counted == 3


def test_a_video_without_a_time_waits_for_a_person(house: House) -> None:
    house.put(corrected(VIDEO, facts=make_facts(started_at_ms=None, time_source=None)))
    row = house.settled()
    assert row.state == "needs_time"
    assert "when it was filmed" in (row.reason or "")
    assert house.jobs() == []


def test_frames_whose_job_is_missing_are_queued(house: House) -> None:
    assert house.settled().state == "received"
    assert house.jobs() == [("frames", "queued")]
    house.settled()
    assert house.jobs() == [("frames", "queued")]


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "north", "source_name": "North"},
        {"facts": make_facts(started_at_ms=DAY_MS + 1, time_source="start_time")},
    ],
)
def test_frames_that_do_not_match_the_records_source_or_time_are_corrected(
    house: House, changes: dict[str, Any]
) -> None:
    house.run()
    house.announce(announced(3))
    house.put(corrected(VIDEO, **changes))
    assert house.settled().state == "received"
    assert house.jobs() == [("frames", "done"), ("frames", "queued")]


def test_footage_not_read_to_its_end_is_resumed(house: House) -> None:
    house.run()
    house.announce(announced(3, state="producing", frames_announced=1))
    row = house.settled()
    assert (row.state, row.books) == ("received", VideoBooks(3, 1))
    assert house.jobs() == [("frames", "done"), ("frames", "queued")]


def test_forgotten_frames_are_reported_and_not_extracted_again(house: House) -> None:
    house.run()
    row = house.settled()
    assert (row.state, row.reason) == ("failed", FORGOTTEN)
    assert house.jobs() == [("frames", "done")]


def test_a_catalogue_that_lost_its_jobs_does_not_extract_forgotten_frames_again(house: House) -> None:
    put_tombstone(house.store, announced(3), why="forget")
    row = house.settled()
    assert (row.state, row.reason, house.jobs()) == ("failed", FORGOTTEN, [])
    house.put(corrected(VIDEO, uploaded_at_ms=2**50))  # the same bytes, uploaded again since
    house.catalogue.set_video(VIDEO.id, state="received")
    assert house.settled().state == "received"
    assert house.jobs() == [("frames", "queued")]


def test_a_catalogue_that_lost_its_jobs_knows_what_is_done(house: House) -> None:
    house.announce(announced(3))
    house.detect(0, 1, 2)
    house.count(3)
    assert house.settled().state == "ready"
    assert house.jobs() == []


def test_another_medium_in_the_same_minute_is_not_mistaken_for_this_one(house: House) -> None:
    house.analyse()
    other = make_manifest(3, media="cd" * 32, source="cam")
    house.announce(
        msgspec.structs.replace(
            other, first_captured_at_ms=DAY_MS + 10_000, last_captured_at_ms=DAY_MS + 12_000
        )
    )
    house.detect(10, 11, 12, media="cd" * 32)
    house.count(3)  # the other's, or this one's: not all
    row = house.settled()
    assert (row.state, row.books.counted) == ("counting", 0)
    house.count(6)
    row = house.settled()
    assert (row.state, row.books.counted) == ("ready", 3)


def test_a_video_does_not_wait_for_frames_in_a_forgotten_range(house: House) -> None:
    manifest = announced(3)
    house.analyse(manifest)
    put_tombstone(house.store, manifest, from_ms=DAY_MS + 2000, to_ms=DAY_MS + 3000, why="forget")
    house.count(3)
    assert house.settled().state == "counting", "the index still has the forgotten one"
    house.count(2)
    row = house.settled()
    assert (row.state, row.books) == ("ready", VideoBooks(3, 3, 3, 0, 2, {"car": 2}, 2))
    assert row.reason == "1 of its frames is not counted: forgotten or erased."
    assert video_of(row, "UTC").detections_counted == 2
    # A range of all its frames: what it shows is unknown, and not "nothing".
    put_tombstone(house.store, manifest, from_ms=DAY_MS, to_ms=DAY_MS + 9000, why="forget")
    house.catalogue.set_video(VIDEO.id, state="counting")
    house.count(0)
    row = house.settled()
    assert (row.state, row.books.counted) == ("ready", 0)
    assert row.reason == "3 of its frames are not counted: forgotten or erased."
    assert video_of(row, "UTC").detections_counted is None


def test_a_video_waits_until_a_recounted_day_is_in_the_index(house: House) -> None:
    house.analyse()
    house.count(3)
    newer = make_run(2, frames=3)
    newer = put_run(house.store, newer, [], [make_coverage(DAY_MS, 3, source="cam")])
    assert house.settled().state == "counting"
    assert house.index.publish(newer, [], [make_coverage(DAY_MS, 3, source="cam")])
    assert house.settled().state == "ready"


def test_a_video_being_deleted_shows_no_other_state(house: House) -> None:
    house.put(corrected(VIDEO, state="deleting"))
    house.announce(announced(3))
    house.run("removal", until=None)
    assert house.settled().state == "deleting"
    (job,) = house.catalogue.jobs(VIDEO.id)
    assert house.catalogue.end(job, "failed", reason="the store refuses")
    row = house.settled()
    assert (row.state, row.reason) == ("deleting", "It could not be deleted: the store refuses")


def test_nothing_is_read_while_no_video_is_unsettled(house: House) -> None:
    house.catalogue.set_video(VIDEO.id, state="ready")
    house.ledger.close()
    house.index.close()
    assert house.settler.settle(patiently=False) == 0


def test_videos_are_checked_again_only_when_it_is_time(house: House) -> None:
    assert house.settler.settle() == 1
    assert house.settler.settle() == 0
    assert house.settler.settle(patiently=False) == 1


def test_each_outcome_is_mailed_once(house: House) -> None:
    house.run(until="failed", reason="Its file is damaged.")
    assert house.settled().state == "failed"
    house.catalogue.retry(VIDEO.id)
    house.catalogue.set_video(VIDEO.id, state="received")
    job = house.catalogue.claim("w", ("frames",), lease_s=3600)
    assert job is not None
    assert house.catalogue.end(job, "done")
    house.announce(announced())
    house.detect(0, 1, 2)
    house.count(3)
    for _ in range(2):  # also where a kill came between telling and noting
        house.catalogue.set_video(VIDEO.id, state="counting")
        assert house.settled().state == "ready"
    told = [notice.subject for notice in reversed(house.catalogue.notices(9))]
    assert told == [f"{VIDEO.name} has failed", f"{VIDEO.name} is ready"]


def test_a_rebuilt_catalogue_sends_no_mail_again(house: House) -> None:
    house.announce(announced())
    house.detect(0, 1, 2)
    house.count(3)
    assert house.settled().state == "ready"
    assert house.catalogue.notices(9) == []
