"""The contract of every video catalogue apart from videos: jobs, due work, artifacts, arrivals, mails."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, update
from tests.examples import examples
from tests.fakes.at_once import at_once
from tests.fakes.databases import Openings
from tests.kit.waiting import until
from tests.videos.test_video_catalogue_contract import LONG_S, Make, catalogue, filled, make
from tests.videos.video_records import corrected, make_video

from frametally_videos import tables
from frametally_videos.catalogue.catalogue_rows import (
    Artifact,
    Failures,
    Job,
    JobKind,
    JobQuestion,
    JobState,
    UploadRow,
    VideoQuestion,
)
from frametally_videos.catalogue.outbox import Letter
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import VideoFields, VideoRecord

__all__ = ["catalogue", "make"]

ENHANCE_A, ENHANCE_B = '{"gamma":2.0}', '{"gamma":3.0}'
TEN_YEARS_MS = 3650 * 86_400_000
NEVER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def video_id(catalogue: VideoCatalogue) -> str:
    return filled(catalogue, make_video())[0]


def claimed(catalogue: VideoCatalogue, kind: JobKind = "frames", **values: Any) -> Job:
    job = catalogue.claim("w", (kind,), **{"lease_s": LONG_S, **values})
    assert job is not None
    return job


def due(catalogue: VideoCatalogue, again_after_s: float = LONG_S, limit: int = 99) -> list[str]:
    return [job.id for job in catalogue.take_due(limit=limit, again_after_s=again_after_s)]


def test_a_video_can_have_several_jobs_of_one_kind_with_different_options(
    catalogue: VideoCatalogue, video_id: str
) -> None:
    one, other = (catalogue.queue(video_id, "enhance", options) for options in (ENHANCE_A, ENHANCE_B))
    assert one.id != other.id
    assert (one.options, other.options) == (ENHANCE_A, ENHANCE_B)
    assert catalogue.queue(video_id, "enhance", ENHANCE_B) == other
    assert claimed(catalogue, "enhance").options == ENHANCE_A


def test_a_job_is_found_by_its_id(catalogue: VideoCatalogue, video_id: str) -> None:
    job = catalogue.queue(video_id, "enhance", ENHANCE_A)
    assert catalogue.job(job.id) == job
    assert catalogue.job(NEVER) is None


def test_a_claim_for_one_job_gets_that_job_or_none(catalogue: VideoCatalogue) -> None:
    first, second = (catalogue.queue(video_id, "frames") for video_id in filled(catalogue, *two()))
    assert claimed(catalogue, job_id=second.id).id == second.id
    assert catalogue.claim("w", ("frames",), lease_s=LONG_S, job_id=second.id) is None
    assert catalogue.claim("w", ("previews",), lease_s=LONG_S, job_id=first.id) is None
    assert catalogue.claim("w", ("frames",), lease_s=LONG_S, job_id=NEVER) is None
    assert claimed(catalogue, job_id=first.id).id == first.id


@pytest.mark.parametrize("take_over", [False, True])
def test_a_postponed_job_cannot_be_claimed_early(
    catalogue: VideoCatalogue, video_id: str, take_over: bool
) -> None:
    job = catalogue.queue(video_id, "frames")
    assert catalogue.end(claimed(catalogue), "queued", again_after_s=LONG_S)
    asked: dict[str, Any] = {"lease_s": LONG_S, "job_id": job.id, "take_over": take_over}
    assert catalogue.claim("w", ("frames",), **asked) is None


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_finished_job_is_never_taken_over(catalogue: VideoCatalogue, video_id: str, state: Any) -> None:
    catalogue.queue(video_id, "frames")
    held = claimed(catalogue)
    assert catalogue.end(held, state)
    assert catalogue.claim("x", ("frames",), lease_s=LONG_S, job_id=held.id, take_over=True) is None


def test_a_job_is_taken_over_once_its_holder_is_silent_and_the_holder_can_no_longer_write(make: Make) -> None:
    catalogue = make()
    (video_id,) = filled(catalogue, make_video())
    catalogue.queue(video_id, "frames")
    held = claimed(catalogue)
    asked: dict[str, Any] = {"lease_s": LONG_S, "job_id": held.id}
    # As if it had reported ten seconds from now, however slow the machine is.
    assert catalogue.renew(held, lease_s=LONG_S + 10)
    assert make().claim("x", ("frames",), **asked, take_over=True) is None, "it has just said something"
    # As if it had been silent for ten seconds.
    assert catalogue.renew(held, lease_s=LONG_S - 10)
    assert make().claim("x", ("frames",), **asked) is None
    taken = make().claim("x", ("frames",), **asked, take_over=True)
    assert taken is not None
    assert (taken.worker, taken.generation, taken.attempts) == ("x", held.generation + 1, held.attempts)
    assert not catalogue.renew(held, lease_s=LONG_S)
    assert not catalogue.end(held, "done")
    assert catalogue.renew(taken, lease_s=LONG_S + 10)
    assert make().claim("y", ("frames",), **asked, take_over=True) is None


def test_giving_up_a_job_fails_it_whoever_holds_it(catalogue: VideoCatalogue, video_id: str) -> None:
    waiting, held = catalogue.queue(video_id, "previews"), catalogue.queue(video_id, "frames")
    running = claimed(catalogue)
    for job in (waiting, held):
        assert catalogue.give_up(job.id, "nobody lived through it")
        assert not catalogue.give_up(job.id, "again")
        found = catalogue.job(job.id)
        assert (found.state, found.reason, found.worker) == ("failed", "nobody lived through it", "")
        assert found.ended_at_ms is not None
    assert not catalogue.renew(running, lease_s=LONG_S)
    assert not catalogue.end(running, "done")
    assert not catalogue.give_up(NEVER, "nobody")
    assert [job.kind for job in catalogue.retry(video_id)] == ["previews", "frames"]
    assert claimed(catalogue).generation > running.generation


def test_a_waiting_job_is_announced_once_and_again_after_a_long_wait(
    catalogue: VideoCatalogue, video_id: str
) -> None:
    first, second = catalogue.queue(video_id, "frames"), catalogue.queue(video_id, "previews")
    assert due(catalogue) == [first.id, second.id]
    assert due(catalogue) == []
    third = catalogue.queue(video_id, "metadata")
    assert due(catalogue) == [third.id]
    later()
    assert due(catalogue, again_after_s=0.0) == [first.id, second.id, third.id]
    later()
    assert due(catalogue, again_after_s=0.0, limit=2) == [first.id, second.id]


def test_a_running_job_is_not_announced_until_it_is_queued_again(
    catalogue: VideoCatalogue, video_id: str
) -> None:
    job = catalogue.queue(video_id, "frames")
    assert due(catalogue) == [job.id]
    held = claimed(catalogue)
    assert due(catalogue, again_after_s=0.0) == []
    assert catalogue.end(held, "queued", again_after_s=LONG_S)
    assert due(catalogue, again_after_s=0.0) == []
    assert catalogue.give_up(job.id, "so that it can be tried at once")
    assert due(catalogue, again_after_s=0.0) == []
    later()
    assert catalogue.retry_job(job.id) is not None
    assert due(catalogue) == [job.id]
    lost = claimed(catalogue, lease_s=0.01)
    assert until(lambda: due(catalogue)) == [lost.id], "its lease is over: it waits"
    assert due(catalogue) == []


def test_each_waiting_job_is_announced_by_only_one_of_many_processes(make: Make) -> None:
    catalogue = make()
    ids = [catalogue.queue(one, "frames").id for one in filled(catalogue, *(make_video(n) for n in range(9)))]
    told = []

    def ask(mine: VideoCatalogue) -> None:
        while found := due(mine, limit=2):
            told.extend(found)

    at_once(*(partial(ask, make()) for _ in range(4)))
    assert sorted(told) == sorted(ids)


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_single_failed_or_cancelled_job_can_be_queued_again(
    catalogue: VideoCatalogue, video_id: str, end: str
) -> None:
    one, other = (catalogue.queue(video_id, "enhance", options) for options in (ENHANCE_A, ENHANCE_B))
    for job in (one, other):
        held = claimed(catalogue, "enhance")
        assert catalogue.end(held, "failed", reason="r") if end == "failed" else catalogue.cancel_job(job.id)
    again = catalogue.retry_job(other.id)
    assert (again.id, again.state, again.attempts, again.reason) == (other.id, "queued", 0, None)
    assert (again.started_at_ms, again.ended_at_ms) == (None, None)
    assert catalogue.job(one.id).state == end
    assert claimed(catalogue, "enhance").generation == 2


@pytest.mark.parametrize("state", ["queued", "running", "done"])
def test_only_failed_or_cancelled_jobs_are_retried(
    catalogue: VideoCatalogue, video_id: str, state: JobState
) -> None:
    job = catalogue.queue(video_id, "frames")
    if state != "queued":
        job = claimed(catalogue)
    if state == "done":
        assert catalogue.end(job, "done")
    there = catalogue.job(job.id)
    assert catalogue.retry_job(job.id) == there == catalogue.job(job.id)
    assert there.state == state
    assert catalogue.retry_job(NEVER) is None


def test_a_job_already_under_way_is_not_queued_twice(catalogue: VideoCatalogue, video_id: str) -> None:
    first = catalogue.queue(video_id, "enhance", ENHANCE_A)
    assert catalogue.give_up(first.id, "r")
    second = catalogue.queue(video_id, "enhance", ENHANCE_A)
    assert catalogue.retry_job(first.id).state == "failed"
    assert catalogue.give_up(second.id, "r")
    assert catalogue.retry_job(first.id).state == "queued"
    assert catalogue.retry(video_id) == []
    assert catalogue.retry_job(second.id).state == "failed"
    assert [job.state for job in catalogue.jobs(video_id)] == ["queued", "failed"]


def test_cancelling_one_job_does_not_change_finished_ones(catalogue: VideoCatalogue, video_id: str) -> None:
    waiting, held = catalogue.queue(video_id, "previews"), catalogue.queue(video_id, "frames")
    running = claimed(catalogue)
    ended = catalogue.queue(video_id, "metadata")
    assert catalogue.end(claimed(catalogue, "metadata"), "done")
    assert catalogue.cancel_job(waiting.id).state == "cancelled"
    assert catalogue.job(held.id).state == "running"
    cancelled = catalogue.cancel_job(held.id)
    assert (cancelled.state, cancelled.worker) == ("cancelled", "")
    assert cancelled.ended_at_ms is not None
    assert cancelled.started_at_ms is not None, "a removal waits for the process of a job that was at work"
    assert not catalogue.renew(running, lease_s=LONG_S)
    assert not catalogue.end(running, "done")
    assert catalogue.cancel_job(ended.id).state == "done"
    assert catalogue.cancel_job(NEVER) is None


def test_the_former_holder_of_a_cancelled_and_requeued_job_can_no_longer_write(
    catalogue: VideoCatalogue, video_id: str
) -> None:
    job = catalogue.queue(video_id, "frames")
    before = claimed(catalogue)
    catalogue.cancel_job(job.id)
    catalogue.retry_job(job.id)
    assert not catalogue.renew(before, lease_s=LONG_S)
    after = claimed(catalogue)
    assert not catalogue.end(before, "failed")
    assert catalogue.end(after, "done")


def test_jobs_are_listed_page_by_page_newest_first(catalogue: VideoCatalogue) -> None:
    mine, other = (
        make_video(n, fields=VideoFields(client_id=client)) for n, client in ((1, "client-1"), (2, None))
    )
    filled(catalogue, mine, other)
    kinds: list[JobKind] = ["frames", "previews", "metadata", "checks"]
    made = [catalogue.queue(one.id, kind).id for kind in kinds for one in (mine, other)]
    claimed(catalogue, "metadata")
    found: list[str] = []
    before = 0
    while True:
        page = catalogue.find_jobs(JobQuestion(limit=3, before=before))
        found += [job.id for job in page.jobs]
        before = page.next
        if not before:
            break
    assert found == made[::-1]
    questions: list[tuple[JobQuestion, list[str]]] = [
        (JobQuestion(video_id=mine.id), made[::2]),
        (JobQuestion(client_id="client-1"), made[::2]),
        (JobQuestion(client_id="client-2"), []),
        (JobQuestion(kinds=("checks", "frames")), made[:2] + made[6:]),
        (JobQuestion(states=("running",)), made[4:5]),
        (JobQuestion(states=("queued", "done"), kinds=("metadata",)), made[5:6]),
        (JobQuestion(limit=8), made),
    ]
    for question, expected in questions:
        page = catalogue.find_jobs(question)
        assert ([job.id for job in page.jobs], page.next) == (expected[::-1], 0), question
    assert catalogue.find_jobs(JobQuestion(video_id=mine.id)).jobs[0] == catalogue.job(made[6])


def test_jobs_are_counted_by_kind_and_state(catalogue: VideoCatalogue, video_id: str) -> None:
    assert (catalogue.job_counts(), catalogue.job_states()) == ({}, {})
    kinds: list[JobKind] = ["frames", "previews", "metadata"]
    for kind in kinds:
        catalogue.queue(video_id, kind)
    catalogue.queue(video_id, "enhance", '{"gamma":1.2}')
    catalogue.queue(video_id, "enhance", '{"gamma":1.3}')
    running = claimed(catalogue).kind
    expected: dict[JobKind, dict[JobState, int]] = {kind: {"queued": 1} for kind in kinds}
    expected |= {"enhance": {"queued": 2}, running: {"running": 1}}
    assert catalogue.job_counts() == expected
    assert catalogue.job_states() == {"queued": 4, "running": 1}


def test_failures_are_reported_by_kind_since_the_first_until_they_are_retried(
    catalogue: VideoCatalogue, video_id: str
) -> None:
    assert catalogue.failures() == {}
    for options in (ENHANCE_A, ENHANCE_B):
        catalogue.queue(video_id, "enhance", options)
        catalogue.end(claimed(catalogue, "enhance"), "failed")
    first, second = catalogue.jobs(video_id)
    assert first.ended_at_ms is not None
    assert second.ended_at_ms is not None
    assert catalogue.failures() == {"enhance": Failures(2, min(first.ended_at_ms, second.ended_at_ms))}
    catalogue.queue(video_id, "enhance", ENHANCE_A)  # another one replaces it
    assert catalogue.failures() == {"enhance": Failures(1, second.ended_at_ms)}
    catalogue.retry(video_id)
    assert catalogue.failures() == {}


def test_the_version_changes_with_single_jobs_but_not_with_what_no_page_shows(
    catalogue: VideoCatalogue, video_id: str
) -> None:
    job = catalogue.queue(video_id, "frames")
    seen = [catalogue.version()]
    changing: list[Callable[[], object]] = [
        lambda: catalogue.cancel_job(job.id),
        lambda: catalogue.retry_job(job.id),
        lambda: catalogue.give_up(job.id, "r"),
        lambda: catalogue.put_artifacts(video_id, [Artifact("metadata", "m", "application/json", 1)]),
        lambda: catalogue.remove_artifact(video_id, "m"),
    ]
    for change in changing:
        change()
        assert catalogue.version() not in seen
        seen.append(catalogue.version())
    catalogue.take_due(limit=9, again_after_s=0.0)
    catalogue.cancel_job(job.id)
    catalogue.give_up(job.id, "r")
    catalogue.note_arrival(video_id)
    catalogue.put_notice("n", "s", "b")
    assert catalogue.version() == seen[-1]


def test_an_artifact_replaces_the_one_of_its_kind_and_enhanced_ones_are_added(
    catalogue: VideoCatalogue, video_id: str
) -> None:
    def made(kind: Any, key: str, size: int = 1) -> Artifact:
        return Artifact(kind, key, "x/y", size)

    poster, old, new = made("poster", "p"), made("playable", "old"), made("playable", "new")
    a, b = made("enhanced", "a"), made("enhanced", "b")
    for artifacts in ([poster, old], [a], [b], [new], [made("enhanced", "a", 2)], []):
        catalogue.put_artifacts(video_id, artifacts)
    row = catalogue.video(video_id)
    assert row.artifacts == (poster, b, new, made("enhanced", "a", 2))
    assert row.artifact("enhanced").key == "a", "the newest"
    catalogue.remove_artifact(video_id, "a")
    catalogue.remove_artifact(video_id, "nothing")
    assert catalogue.video(video_id).artifacts == (poster, b, new)
    catalogue.put_artifacts(NEVER, [poster])
    assert catalogue.video(NEVER) is None


def test_videos_are_found_by_client(catalogue: VideoCatalogue) -> None:
    one, other = (make_video(n, fields=VideoFields(client_id=f"client-{n}")) for n in (1, 2))
    filled(catalogue, one, other, make_video(3))
    page = catalogue.videos(VideoQuestion(client_id="client-2"))
    assert ([row.record.id for row in page.rows], page.total) == ([other.id], 1)


def test_each_arrival_is_announced_once(catalogue: VideoCatalogue) -> None:
    first, second = make_video(1), make_video(2)
    filled(catalogue, second, first)
    assert catalogue.untold_arrivals(9) == [first, second]
    assert catalogue.untold_arrivals(1) == [first]
    catalogue.note_arrival(first.id)
    catalogue.put_video(corrected(first, name="Other"), "v2")
    assert catalogue.untold_arrivals(9) == [second]
    catalogue.note_arrival(NEVER)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("queue", "claim", "lose", "take", "end", "fail", "again", "up"),
                *("retry", "retry all", "cancel", "cancel all"),
            ]
        ),
        st.integers(0, 3),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=examples(30))
def test_after_any_steps_each_job_has_one_holder_and_waits_once(steps: list[tuple[str, int]]) -> None:
    with ExitStack() as stack:
        catalogue = Openings(stack, open_video_catalogue)()
        video_id = filled(catalogue, make_video())[0]
        held: list[Job] = []
        for step, number in steps:
            ids = [job.id for job in catalogue.jobs(video_id)]
            one = ids[number % len(ids)] if ids else NEVER
            if step == "queue":
                catalogue.queue(video_id, "enhance", str(number % 2))
            elif step == "retry all":
                catalogue.retry(video_id)
            elif step == "cancel all":
                catalogue.cancel_jobs(video_id)
            elif step in ("claim", "lose", "take"):
                lease_s = {"claim": LONG_S, "lose": 0.0, "take": LONG_S * 9}[step]
                asked: dict[str, Any] = {"lease_s": lease_s, "job_id": one, "take_over": step == "take"}
                job = catalogue.claim("w", ("enhance",), **asked)
                held += [] if job is None else [job]
            elif step in ("end", "fail", "again") and held:
                end: Any = {"end": "done", "fail": "failed", "again": "queued"}[step]
                catalogue.end(held.pop(), end)
            elif step == "up":
                catalogue.give_up(one, "r")
            elif step == "retry":
                catalogue.retry_job(one)
            elif step == "cancel":
                catalogue.cancel_job(one)
            jobs = catalogue.jobs(video_id)
            alive = [job.options for job in jobs if job.state in ("queued", "running")]
            assert len(alive) == len(set(alive))
            assert all((job.worker == "w") == (job.state == "running") for job in jobs)
        holding = [job for job in held if catalogue.renew(job, lease_s=LONG_S)]
        assert len({job.id for job in holding}) == len(holding)


def two() -> list[VideoRecord]:
    return [make_video(1), make_video(2)]


def later() -> None:
    """A moment: leases and due times have a resolution of a millisecond."""
    time.sleep(0.005)


def claimed_letter(
    outbox: VideoCatalogue, *, waited_s: float = 0, limit: int = 100, lease_s: float = LONG_S
) -> Letter:
    letter = outbox.claim_letter(waited_s=waited_s, limit=limit, lease_s=lease_s)
    assert letter is not None
    return letter


def ids(letter: Letter) -> list[str]:
    return [notice.id for notice in letter.notices]


def test_a_notice_put_twice_is_sent_once(make: Make) -> None:
    outbox = make()
    assert outbox.put_notice("a", "Gate is ready", "text")
    assert not outbox.put_notice("a", "other words", "text")
    letter = claimed_letter(outbox)
    assert [(notice.id, notice.subject) for notice in letter.notices] == [("a", "Gate is ready")]
    assert outbox.end_letter(letter, "sent")
    assert not outbox.put_notice("a", "Gate is ready", "text")
    assert outbox.claim_letter(waited_s=0, limit=100, lease_s=1) is None
    assert [(notice.id, notice.state) for notice in outbox.notices(10)] == [("a", "sent")]


def test_notices_are_collected_until_the_oldest_has_waited_long_enough(make: Make) -> None:
    outbox = make()
    outbox.put_notice("a", "s", "b")
    assert outbox.claim_letter(waited_s=LONG_S, limit=100, lease_s=1) is None
    outbox.put_notice("b", "s", "b")
    assert ids(claimed_letter(outbox)) == ["a", "b"]


def test_a_mail_that_was_begun_keeps_its_notices_when_others_arrive(make: Make) -> None:
    outbox = make()
    for name in "ab":
        outbox.put_notice(name, "s", "b")
    first = claimed_letter(outbox, lease_s=0)
    outbox.put_notice("c", "s", "b")
    again = claimed_letter(outbox, waited_s=LONG_S)
    assert (again.id, ids(again), again.attempts) == (first.id, ["a", "b"], 2)
    assert not outbox.end_letter(first, "sent")
    assert outbox.end_letter(again, "queued", reason="away", again_after_s=0)
    third = claimed_letter(outbox)
    assert (third.id, ids(third), third.notices[0].reason) == (first.id, ["a", "b"], "away")
    other = claimed_letter(outbox)
    assert ids(other) == ["c"]
    assert other.id != first.id


def test_a_requeued_mail_waits_and_a_failed_one_is_over(make: Make) -> None:
    outbox = make()
    outbox.put_notice("a", "s", "b")
    assert outbox.end_letter(claimed_letter(outbox), "queued", again_after_s=LONG_S)
    assert outbox.claim_letter(waited_s=0, limit=100, lease_s=1) is None
    outbox.put_notice("b", "s", "b")
    assert outbox.end_letter(claimed_letter(outbox), "failed", reason="refused")
    assert [(one.id, one.state, one.reason) for one in outbox.notices(10)] == [
        ("b", "failed", "refused"),
        ("a", "queued", None),
    ]
    assert [one.id for one in outbox.notices(1)] == ["b"]


def test_only_one_of_many_simultaneous_claims_gets_the_mail(make: Make) -> None:
    make().put_notice("a", "s", "b")
    asked = [partial(make().claim_letter, waited_s=0, limit=100, lease_s=LONG_S) for _ in range(4)]
    assert sum(letter is not None for letter in at_once(*asked)) == 1


@given(st.lists(st.sampled_from(["put", "claim", "lose", "send", "again"]), max_size=25), st.integers(1, 3))
@settings(max_examples=examples(30))
def test_after_any_steps_each_notice_is_in_one_mail_that_never_changes(steps: list[str], limit: int) -> None:
    with ExitStack() as stack:
        outbox = Openings(stack, open_video_catalogue)()
        contents: dict[str, list[str]] = {}
        held: list[Letter] = []
        put = 0
        for step in steps:
            if step == "put":
                put += 1
                outbox.put_notice(str(put), "s", "b")
            elif step in ("claim", "lose"):
                letter = outbox.claim_letter(
                    waited_s=0, limit=limit, lease_s=LONG_S if step == "claim" else 0
                )
                if letter is not None:
                    assert contents.setdefault(letter.id, ids(letter)) == ids(letter)
                    assert len(ids(letter)) <= limit
                    held.append(letter)
            elif held:
                outbox.end_letter(held.pop(), "sent" if step == "send" else "queued")
        told = [notice for letter in contents.values() for notice in letter]
        assert len(told) == len(set(told))


def set_clock_back(catalogue: VideoCatalogue, table: Table, *columns: str, by_ms: int = TEN_YEARS_MS) -> None:
    """Shift times of all rows into the future, as if the clock had been set back since."""
    with catalogue._database.writing() as connection:
        moved = {name: table.c[name] + by_ms for name in columns}
        connection.execute(update(table).values(**moved))


@pytest.mark.parametrize("job_id", [False, True])
def test_a_job_leased_by_a_fast_clock_is_taken_over(
    catalogue: VideoCatalogue, video_id: str, job_id: bool
) -> None:
    catalogue.queue(video_id, "frames")
    held = claimed(catalogue)
    assert catalogue.claim("x", ("frames",), lease_s=LONG_S) is None
    set_clock_back(catalogue, tables.jobs, "due_at_ms")
    assert claimed(catalogue, job_id=held.id if job_id else None).losses == 1
    assert not catalogue.end(held, "done")


def test_a_job_postponed_by_a_fast_clock_is_tried_now(catalogue: VideoCatalogue, video_id: str) -> None:
    job = catalogue.queue(video_id, "frames")
    assert due(catalogue) == [job.id]
    assert catalogue.end(claimed(catalogue), "queued", again_after_s=600)
    set_clock_back(catalogue, tables.jobs, "due_at_ms", "told_at_ms")
    assert due(catalogue) == [job.id]
    assert due(catalogue) == [], "it was announced just now"
    assert claimed(catalogue).id == job.id


def test_a_mail_postponed_by_a_fast_clock_is_sent_now(make: Make) -> None:
    outbox = make()
    outbox.put_notice("a", "s", "b")
    set_clock_back(outbox, tables.notices, "created_at_ms", "due_at_ms")
    first = claimed_letter(outbox, waited_s=LONG_S)
    set_clock_back(outbox, tables.notices, "due_at_ms")
    assert ids(claimed_letter(outbox)) == ids(first) == ["a"]


def test_an_upload_from_a_fast_clock_does_not_take_up_a_place(catalogue: VideoCatalogue) -> None:
    now_ms = round(time.time() * 1000)
    catalogue.put_upload(UploadRow("a", "receiving", "v", client_id="c", expires_at_ms=now_ms + 120_000))
    assert catalogue.open_uploads("c") == 1
    set_clock_back(catalogue, tables.uploads, "expires_at_ms")
    assert catalogue.open_uploads("c") == 0
