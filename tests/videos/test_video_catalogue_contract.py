"""The contract of every video catalogue: pages of videos, ends of uploads, holders of jobs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from tests.fakes.at_once import at_once
from tests.fakes.databases import DATABASES, Openings
from tests.videos.video_records import UPLOADED_AT_MS, corrected, make_facts, make_video

from frametally.errors import Poison
from frametally_videos.catalogue.catalogue_rows import (
    Artifact,
    Job,
    UploadRow,
    VideoBooks,
    VideoOrder,
    VideoQuestion,
)
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import VideoRecord

Make = Callable[..., VideoCatalogue]
LONG_S = 3600.0


@pytest.fixture(params=DATABASES)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    with ExitStack() as stack:
        yield Openings(stack, open_video_catalogue, request.param)


@pytest.fixture
def catalogue(make: Make) -> VideoCatalogue:
    return make()


def filled(catalogue: VideoCatalogue, *records: VideoRecord) -> list[str]:
    for record in records:
        catalogue.put_video(record, "v1")
    return [record.id for record in records]


def asked(catalogue: VideoCatalogue, **question: Any) -> list[str]:
    return [row.record.id for row in catalogue.videos(VideoQuestion(**question)).rows]


def claimed(catalogue: VideoCatalogue, worker: str = "w", lease_s: float = LONG_S) -> Job:
    job = catalogue.claim(worker, ("frames", "previews", "removal"), lease_s=lease_s)
    assert job is not None
    return job


def test_a_new_video_is_as_its_record_says(catalogue: VideoCatalogue) -> None:
    record = make_video(name='"<b>\u202enight\0\U0001f408</b>\n"', file_name="a\0b.mp4")
    filled(catalogue, record)
    row = catalogue.video(record.id)
    assert (row.record, row.version, row.state) == (record, "v1", "received")
    assert (row.reason, row.progress, row.books, row.artifacts) == (None, None, VideoBooks(), ())
    assert catalogue.versions() == {record.id: "v1"}
    assert catalogue.states() == {"received": 1}


def test_an_unknown_video_does_not_exist(catalogue: VideoCatalogue) -> None:
    assert catalogue.video(make_video().id) is None
    assert catalogue.videos(VideoQuestion()) == ([], "", 0)
    assert (catalogue.states(), catalogue.versions(), catalogue.unsettled(9)) == ({}, {}, [])
    catalogue.set_video(make_video().id, state="ready")
    catalogue.set_artifacts(make_video().id, [Artifact("poster", "k", "image/jpeg", 1)])
    catalogue.remove_video(make_video().id)
    assert catalogue.video(make_video().id) is None


def test_putting_a_record_again_keeps_what_was_found_out_about_the_video(catalogue: VideoCatalogue) -> None:
    record = make_video()
    filled(catalogue, record)
    books = VideoBooks(300, 300, 299, 1, 300, {"car": 7, "bus": 1})
    preview = Artifact("poster", f"videos/{record.id}/poster-00000000.jpg", "image/jpeg", 9)
    catalogue.set_video(record.id, state="ready", reason="r", progress=0.5, range_ms=(5, 9), books=books)
    catalogue.set_artifacts(record.id, [preview])
    renamed = corrected(record, name="Other")
    catalogue.put_video(renamed, "v2")
    assert catalogue.video(record.id) == (renamed, "v2", "ready", "r", 0.5, 5, 9, books, (preview,))


def test_setting_a_state_keeps_range_and_books_and_clears_reason_and_progress(
    catalogue: VideoCatalogue,
) -> None:
    record = make_video()
    filled(catalogue, record)
    books = VideoBooks(2, 2)
    catalogue.set_video(record.id, state="producing", reason="r", progress=0.5, range_ms=(5, 9), books=books)
    catalogue.set_video(record.id, state="detecting")
    assert catalogue.video(record.id)[2:8] == ("detecting", None, None, 5, 9, books)


def test_a_video_being_deleted_cannot_be_set_to_another_state(catalogue: VideoCatalogue) -> None:
    record = make_video()
    filled(catalogue, record)
    catalogue.put_video(corrected(record, state="deleting"), "v2")
    catalogue.set_video(record.id, state="ready")
    assert catalogue.states() == {"deleting": 1}


def test_new_artifacts_replace_the_earlier_ones(catalogue: VideoCatalogue) -> None:
    one, other = make_video(1), make_video(2)
    filled(catalogue, one, other)
    poster, sprite = Artifact("poster", "p", "image/jpeg", 1), Artifact("sprite", "s", "image/jpeg", 2)
    catalogue.set_artifacts(one.id, [poster, sprite])
    catalogue.set_artifacts(other.id, [poster])
    catalogue.set_artifacts(one.id, [sprite])
    rows = catalogue.videos(VideoQuestion(newest_first=False)).rows
    assert [row.artifacts for row in rows] == [(sprite,), (poster,)]


def test_removing_a_video_removes_its_artifacts_and_jobs(catalogue: VideoCatalogue) -> None:
    one, other = make_video(1), make_video(2)
    filled(catalogue, one, other)
    for record in (one, other):
        catalogue.set_artifacts(record.id, [Artifact("poster", "p", "image/jpeg", 1)])
        catalogue.queue(record.id, "frames")
    held = claimed(catalogue)
    catalogue.remove_video(held.video_id)
    assert catalogue.video(held.video_id) is None
    assert catalogue.jobs(held.video_id) == []
    assert not catalogue.renew(held, lease_s=LONG_S)
    assert not catalogue.end(held, "done")
    filled(catalogue, one, other)
    kept = other.id if held.video_id == one.id else one.id
    assert {row.record.id: len(row.artifacts) for row in catalogue.videos(VideoQuestion()).rows} == {
        held.video_id: 0,
        kept: 1,
    }
    assert len(catalogue.jobs(kept)) == 1


# Orders by hand: (uploaded, filmed, name, length, size) of four videos, the third of unknown time and length.
FOUR = [
    make_video(
        1, name="b", uploaded_at_ms=10, size_bytes=4, facts=make_facts(duration_s=9, started_at_ms=40)
    ),
    make_video(
        2, name="A", uploaded_at_ms=20, size_bytes=3, facts=make_facts(duration_s=8.5, started_at_ms=-1)
    ),
    make_video(
        3, name="ä", uploaded_at_ms=30, size_bytes=2, facts=make_facts(duration_s=None, started_at_ms=None)
    ),
    make_video(
        4, name="Ab", uploaded_at_ms=40, size_bytes=1, facts=make_facts(duration_s=70, started_at_ms=7)
    ),
]
ORDERS: dict[VideoOrder, list[int]] = {
    "uploaded": [1, 2, 3, 4],
    "filmed": [3, 2, 4, 1],
    "name": [2, 4, 1, 3],
    "length": [3, 2, 1, 4],
    "size": [4, 3, 2, 1],
}


@pytest.mark.parametrize("order", ORDERS)
def test_pages_are_in_the_requested_order(catalogue: VideoCatalogue, order: VideoOrder) -> None:
    filled(catalogue, *FOUR)
    expected = [FOUR[number - 1].id for number in ORDERS[order]]
    assert asked(catalogue, order=order, newest_first=False) == expected
    assert asked(catalogue, order=order) == expected[::-1]


def test_event_time_order_uses_the_first_frame_once_it_is_known(catalogue: VideoCatalogue) -> None:
    filled(catalogue, *FOUR)
    catalogue.set_video(FOUR[2].id, state="ready", range_ms=(20, 21))
    catalogue.put_video(corrected(FOUR[2], name="x"), "v2")
    assert asked(catalogue, order="filmed", newest_first=False) == [FOUR[n - 1].id for n in (2, 4, 3, 1)]


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_pages_neither_overlap_nor_skip_even_among_equals(
    catalogue: VideoCatalogue, order: VideoOrder, newest_first: bool
) -> None:
    equal = [
        make_video(n, name="same", uploaded_at_ms=7, size_bytes=7, facts=make_facts(started_at_ms=None))
        for n in range(1, 8)
    ]
    filled(catalogue, *equal, *(make_video(n) for n in range(8, 12)))
    found: list[str] = []
    cursor = ""
    sizes = []
    while True:
        page = catalogue.videos(VideoQuestion(order=order, newest_first=newest_first, limit=3, cursor=cursor))
        assert page.total == 11
        found += [row.record.id for row in page.rows]
        sizes.append(len(page.rows))
        cursor = page.next
        if not cursor:
            break
    assert sizes == [3, 3, 3, 2]
    assert found == asked(catalogue, order=order, newest_first=newest_first)
    assert len(set(found)) == 11


def test_a_full_last_page_has_no_next(catalogue: VideoCatalogue) -> None:
    filled(catalogue, make_video(1), make_video(2))
    assert catalogue.videos(VideoQuestion(limit=2)).next == ""


def test_paging_continues_where_it_was_although_a_video_was_added(catalogue: VideoCatalogue) -> None:
    filled(catalogue, *(make_video(n) for n in (1, 2, 3)))
    first = catalogue.videos(VideoQuestion(limit=2))
    filled(catalogue, make_video(4))
    assert asked(catalogue, limit=2, cursor=first.next) == [make_video(1).id]


@pytest.mark.parametrize(
    "cursor", ["x", "é", "W10", "e30", "AAAA", "WyJ1cGxvYWRlZCIsdHJ1ZSwiYSIsIngiXQ", "[" * 50]
)
def test_an_invalid_cursor_is_refused(catalogue: VideoCatalogue, cursor: str) -> None:
    filled(catalogue, make_video())
    with pytest.raises(Poison, match="begin at the first page"):
        catalogue.videos(VideoQuestion(cursor=cursor))


def test_a_cursor_of_another_order_is_refused(catalogue: VideoCatalogue) -> None:
    filled(catalogue, make_video(1), make_video(2))
    cursor = catalogue.videos(VideoQuestion(limit=1)).next
    for other in (
        VideoQuestion(order="name", cursor=cursor),
        VideoQuestion(newest_first=False, cursor=cursor),
    ):
        with pytest.raises(Poison, match="begin at the first page"):
            catalogue.videos(other)


SEARCHED = [
    make_video(1, name="Straße am Café", file_name="cam_1%.mov", source_name="North Gate"),
    make_video(2, name="night", file_name="CAMX1.mp4", source_name="Süd"),
]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [1, 2]),
        ("strasse", [1]),
        ("CAFÉ", [1]),
        ("cafe\u0301", [1]),
        ("cam_1", [1]),
        ("1%", [1]),
        ("%", [1]),
        ("_", [1]),
        ("camx", [2]),
        ("north", [1]),
        ("gate café", [1]),
        ("gate night", []),
        ("SÜD", [2]),
        ("'; DROP TABLE frametally_videos; --", []),
        ("\\", []),
        ("\0", [1, 2]),
        ("\ud800", []),
    ],
)
def test_a_search_finds_words_in_names_ignoring_case_and_treats_no_character_as_a_pattern(
    catalogue: VideoCatalogue, text: str, numbers: list[int]
) -> None:
    filled(catalogue, *SEARCHED)
    assert asked(catalogue, text=text, newest_first=False) == [SEARCHED[n - 1].id for n in numbers]


def test_a_page_has_only_the_requested_sources_and_states(catalogue: VideoCatalogue) -> None:
    a, b, c = (make_video(n, source_name=name) for n, name in ((1, "A"), (2, "B"), (3, "B")))
    filled(catalogue, a, b, c)
    catalogue.set_video(c.id, state="failed", reason="its decoder was killed")
    assert asked(catalogue, sources=("b",)) == [c.id, b.id]
    assert asked(catalogue, sources=("a", "b"), states=("received",)) == [b.id, a.id]
    assert asked(catalogue, sources=("nobody",)) == []
    assert catalogue.videos(VideoQuestion(states=("failed",))).total == 1
    assert catalogue.states() == {"received": 2, "failed": 1}


def test_the_version_changes_only_with_what_a_page_shows(make: Make) -> None:
    catalogue, record = make(), make_video()
    seen = [catalogue.version()]

    def changes(*calls: Callable[[], object]) -> None:
        for call in calls:
            call()
            assert catalogue.version() not in seen
            seen.append(catalogue.version())

    def stays(*calls: Callable[[], object]) -> None:
        for call in calls:
            call()
            assert catalogue.version() == seen[-1]

    changes(
        lambda: catalogue.put_video(record, "v1"),
        lambda: catalogue.put_video(corrected(record, name="x"), "v2"),
        lambda: catalogue.set_video(record.id, state="producing", progress=0.1),
        lambda: catalogue.set_video(record.id, state="producing", progress=0.2),
        lambda: catalogue.set_video(
            record.id, state="detecting", books=VideoBooks(1, labels={"a": 1, "b": 2})
        ),
        lambda: catalogue.set_artifacts(record.id, [Artifact("poster", "p", "image/jpeg", 1)]),
        lambda: catalogue.queue(record.id, "frames"),
    )
    held = claimed(catalogue)
    seen.append(catalogue.version())
    changes(lambda: catalogue.renew(held, lease_s=LONG_S, progress=0.5))
    stays(
        lambda: catalogue.renew(held, lease_s=LONG_S, progress=0.5),
        lambda: catalogue.put_video(corrected(record, name="x"), "v2"),
        lambda: catalogue.set_video(record.id, state="detecting"),
        lambda: catalogue.set_video(
            record.id, state="detecting", books=VideoBooks(1, labels={"b": 2, "a": 1})
        ),
        lambda: catalogue.queue(record.id, "frames"),
        lambda: catalogue.claim("other", ("frames",), lease_s=LONG_S),
        lambda: catalogue.retry(record.id),
        lambda: catalogue.videos(VideoQuestion()),
        lambda: make().version(),
    )
    changes(
        lambda: catalogue.end(held, "failed", reason="r"),
        lambda: catalogue.retry(record.id),
        lambda: catalogue.cancel_jobs(record.id),
        lambda: catalogue.remove_video(record.id),
    )
    stays(lambda: catalogue.end(held, "done"), lambda: catalogue.cancel_jobs(record.id))


def test_a_rebuilt_catalogue_has_another_version(make: Make) -> None:
    before = make("one")
    filled(before, *(make_video(n) for n in range(1, 4)))
    after = make("another")
    filled(after, *(make_video(n) for n in range(1, 4)))
    assert before.version() != after.version()


def test_unsettled_videos_come_in_the_order_of_their_last_check(catalogue: VideoCatalogue) -> None:
    ids = filled(catalogue, *(make_video(n) for n in range(1, 6)))
    catalogue.set_video(ids[4], state="ready")
    catalogue.set_video(ids[3], state="needs_time")
    catalogue.set_video(ids[0], state="received")
    assert [row.record.id for row in catalogue.unsettled(9)] == [ids[1], ids[2], ids[0]]
    assert [row.record.id for row in catalogue.unsettled(1)] == [ids[1]]


def upload(state: Any = "receiving", client_id: str = "client-1", expires_in_s: float = 60) -> UploadRow:
    expires_at_ms = round((time.time() + expires_in_s) * 1000)
    return UploadRow(
        str(uuid.uuid4()), state, make_video().id, client_id=client_id, expires_at_ms=expires_at_ms
    )


def test_an_upload_is_as_last_recorded(catalogue: VideoCatalogue) -> None:
    row = upload()
    assert catalogue.upload(row.id) is None
    catalogue.put_upload(row)
    ended = row._replace(state="refused", status=415, reason="no video", known=True, length_bytes=5 * 10**12)
    catalogue.put_upload(ended)
    assert catalogue.upload(row.id) == ended


def test_open_uploads_are_counted_per_client_or_in_total(catalogue: VideoCatalogue) -> None:
    for row in (
        upload(),
        upload(),
        upload(client_id="client-2"),
        upload(client_id=""),
        upload("received"),
        upload("accepted"),
        upload(expires_in_s=-1),
    ):
        catalogue.put_upload(row)
    assert catalogue.open_uploads("client-1") == 2
    assert catalogue.open_uploads("nobody") == 0
    assert catalogue.open_uploads() == 4


def test_expired_uploads_are_forgotten(catalogue: VideoCatalogue) -> None:
    old, young = upload("refused", expires_in_s=-1), upload("accepted")
    catalogue.put_upload(old)
    catalogue.put_upload(young)
    now_ms = round(time.time() * 1000)
    assert catalogue.remove_uploads(expired_at_ms=now_ms) == 1
    assert catalogue.remove_uploads(expired_at_ms=now_ms) == 0
    assert (catalogue.upload(old.id), catalogue.upload(young.id)) == (None, young)


def test_a_video_has_at_most_one_unfinished_job_of_a_kind(catalogue: VideoCatalogue) -> None:
    (video_id,) = filled(catalogue, make_video())
    first = catalogue.queue(video_id, "frames")
    assert (first.state, first.attempts, first.worker) == ("queued", 0, "")
    assert catalogue.queue(video_id, "frames") == first
    held = claimed(catalogue)
    assert catalogue.queue(video_id, "frames") == held
    assert catalogue.queue(video_id, "previews").id != first.id
    assert catalogue.end(held, "done")
    assert catalogue.queue(video_id, "frames").id != first.id
    assert [(job.kind, job.state) for job in catalogue.jobs(video_id)] == [
        ("frames", "done"),
        ("previews", "queued"),
        ("frames", "queued"),
    ]


def test_a_worker_gets_the_longest_waiting_job_of_its_kinds(catalogue: VideoCatalogue) -> None:
    one, other = filled(catalogue, make_video(1), make_video(2))
    queued = [
        catalogue.queue(one, "frames"),
        catalogue.queue(one, "previews"),
        catalogue.queue(other, "frames"),
    ]
    assert catalogue.claim("w", (), lease_s=LONG_S) is None
    assert catalogue.claim("w", ("removal",), lease_s=LONG_S) is None
    assert catalogue.claim("w", ("previews", "removal"), lease_s=LONG_S).id == queued[1].id
    held = claimed(catalogue, "worker-7")
    assert held.id == queued[0].id
    assert (held.state, held.attempts, held.generation, held.worker) == ("running", 1, 1, "worker-7")
    assert held.started_at_ms is not None
    assert held.ended_at_ms is None
    assert claimed(catalogue).id == queued[2].id
    assert catalogue.claim("w", ("frames", "previews"), lease_s=LONG_S) is None


def test_the_job_of_a_silent_worker_goes_to_another_and_the_first_can_no_longer_write(make: Make) -> None:
    catalogue = make()
    (video_id,) = filled(catalogue, make_video())
    catalogue.queue(video_id, "frames")
    dead = claimed(catalogue, "dead", lease_s=0.0)
    taken = claimed(make(), "alive")
    assert (taken.id, taken.generation, taken.attempts, taken.worker) == (dead.id, 2, 1, "alive")
    assert not catalogue.renew(dead, lease_s=LONG_S, progress=0.9)
    assert not catalogue.end(dead, "failed", reason="late")
    assert catalogue.jobs(video_id) == [taken]
    assert catalogue.end(taken, "done")
    assert not catalogue.end(taken, "done")


def test_a_renewed_job_stays_with_its_worker(catalogue: VideoCatalogue) -> None:
    (video_id,) = filled(catalogue, make_video())
    catalogue.queue(video_id, "frames")
    assert catalogue.renew(claimed(catalogue, lease_s=0.0), lease_s=LONG_S, progress=0.25)
    assert catalogue.claim("other", ("frames",), lease_s=LONG_S) is None
    (job,) = catalogue.jobs(video_id)
    assert (job.progress, job.worker) == (0.25, "w")


def test_a_job_to_be_retried_waits_and_only_real_attempts_are_counted(catalogue: VideoCatalogue) -> None:
    (video_id,) = filled(catalogue, make_video())
    catalogue.queue(video_id, "frames")
    assert catalogue.end(claimed(catalogue), "queued", reason="the store is away", counts=False)
    (job,) = catalogue.jobs(video_id)
    assert (job.state, job.attempts, job.worker, job.reason) == ("queued", 0, "", "the store is away")
    again = claimed(catalogue)
    assert (again.attempts, again.generation, again.reason) == (1, 2, None)
    assert catalogue.end(again, "queued", reason="killed", again_after_s=LONG_S)
    assert catalogue.claim("w", ("frames",), lease_s=LONG_S) is None
    (job,) = catalogue.jobs(video_id)
    assert (job.state, job.attempts, job.ended_at_ms) == ("queued", 1, None)


def test_a_failed_job_is_queued_again_with_its_attempts_reset(catalogue: VideoCatalogue) -> None:
    (video_id,) = filled(catalogue, make_video())
    for kind in ("frames", "previews", "removal"):
        catalogue.queue(video_id, kind)
    for state in ("failed", "done", "failed"):
        assert catalogue.end(claimed(catalogue), state, reason="because")
    assert [(job.state, job.reason) for job in catalogue.jobs(video_id)] == [
        ("failed", "because"),
        ("done", "because"),
        ("failed", "because"),
    ]
    again = catalogue.retry(video_id)
    assert [(job.kind, job.state, job.attempts, job.reason) for job in again] == [
        ("frames", "queued", 0, None),
        ("removal", "queued", 0, None),
    ]
    assert catalogue.retry(video_id) == []
    assert claimed(catalogue).generation == 2


def test_a_failure_followed_by_a_success_is_not_retried(catalogue: VideoCatalogue) -> None:
    (video_id,) = filled(catalogue, make_video())
    for state in ("failed", "done"):
        catalogue.queue(video_id, "frames")
        assert catalogue.end(claimed(catalogue), state)
    assert catalogue.retry(video_id) == []


def test_a_cancelled_job_cannot_be_claimed(catalogue: VideoCatalogue) -> None:
    one, other = filled(catalogue, make_video(1), make_video(2))
    catalogue.queue(one, "frames")
    held = claimed(catalogue)
    catalogue.queue(one, "previews")
    kept = catalogue.queue(other, "frames")
    catalogue.cancel_jobs(one)
    assert not catalogue.renew(held, lease_s=LONG_S)
    assert not catalogue.end(held, "done")
    assert [(job.state, job.worker) for job in catalogue.jobs(one)] == [("cancelled", "")] * 2
    assert claimed(catalogue).id == kept.id
    assert catalogue.retry(one) == []


def test_each_job_goes_to_exactly_one_of_many_simultaneous_claims(make: Make) -> None:
    catalogue = make()
    ids = filled(catalogue, *(make_video(n) for n in range(1, 13)))
    for video_id in ids:
        catalogue.queue(video_id, "frames")
    got = []

    def work(worker: str, mine: VideoCatalogue) -> None:
        while (job := mine.claim(worker, ("frames",), lease_s=LONG_S)) is not None:
            got.append(job.video_id)

    at_once(*(partial(work, f"w{n}", make()) for n in range(4)))
    assert sorted(got) == sorted(ids)


def test_queueing_the_same_job_many_times_at_once_gives_one_job(make: Make) -> None:
    (video_id,) = filled(make(), make_video())
    jobs = at_once(*(partial(make().queue, video_id, "frames") for _ in range(4)))
    assert len({job.id for job in jobs}) == 1
    assert len(make().jobs(video_id)) == 1


def test_videos_from_the_distant_past_and_future_are_in_order(catalogue: VideoCatalogue) -> None:
    ids = filled(
        catalogue,
        make_video(1, facts=make_facts(started_at_ms=-(10**14))),
        make_video(2, facts=make_facts(started_at_ms=UPLOADED_AT_MS * 5)),
    )
    assert asked(catalogue, order="filmed") == ids[::-1]
