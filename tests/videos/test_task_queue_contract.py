"""The contract of every task queue: each job has one worker, and losing a message loses no job."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from tests.fakes.at_once import at_once
from tests.videos.video_records import make_video

from frametally.adapters.sql.clock import now_ms
from frametally.settings.access import ServerAccess
from frametally.settings.loading import Settings, load_settings
from frametally_cloud.stack_setup import EXCHANGES, QUEUE_USERS, queue_definitions
from frametally_videos.catalogue.catalogue_rows import Job, JobKind
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_task_queue, open_video_catalogue
from frametally_videos.jobs import job_bells as telling_module
from frametally_videos.jobs.job_bells import give_up_dead, tell_due, telling, worn_out
from frametally_videos.queues import amqp_queue
from frametally_videos.queues.amqp_queue import DEAD_LETTERS, EXCHANGE, QUEUES_THERE
from frametally_videos.queues.task_queue import QUEUES, BookQueue, JobConsumer, QueueName
from frametally_videos.settings import VideoSettings

ALL: tuple[QueueName, ...] = tuple(QUEUES)
LEASE_S = 60.0
"""By the book's clock, which tests advance."""
BROKER_LEASE_S = 6.0
"""Longer than a holder may be silent, to distinguish a queue that notices deaths from an expired lease."""
PATIENCE_S = 60.0
WAIT_S, BROKER_WAIT_S = 0.01, 0.1
"""How long to ask a queue for a job that does not exist."""


class Place:
    """A catalogue with one video, and queues that announce its jobs."""

    def __init__(self, stack: ExitStack, folder: Path, url: str, access: ServerAccess | None) -> None:
        self.settings: Settings = load_settings(
            "producer",
            data_dir=folder,
            queue_url=url.replace("://", f"://{access.user}@", 1) if access else url,
            queue_password=access.password.get_secret_value() if access else "",
            lease_s=LEASE_S / 3,
        )
        self._stack = stack
        self.ahead_ms = 0
        self.catalogue = self.open_catalogue()
        self.queue = self.open_queue(self.catalogue)
        self.video = make_video()
        self.catalogue.put_video(self.video, "v1")

    def open_catalogue(self) -> VideoCatalogue:
        return self._stack.enter_context(closing(open_video_catalogue(self.settings.catalogue_url)))

    def open_queue(self, catalogue: VideoCatalogue) -> BookQueue:
        settings = self.settings
        return self._stack.enter_context(
            closing(
                open_task_queue(
                    settings.part(VideoSettings).queue_url,
                    catalogue,
                    settings.part(VideoSettings).queue_access,
                )
            )
        )

    def consumer(self, *queues: QueueName) -> JobConsumer:
        return self._stack.enter_context(closing(self.queue.consumer(queues or ALL)))

    def now_ms(self) -> int:
        return round(time.time() * 1000) + self.ahead_ms

    def let_pass(self, seconds: float) -> None:
        """Advance the clock of the book; with a broker, real time passes."""
        self.ahead_ms += 0 if self.queue.is_told else round(seconds * 1000)

    def queued(self, *kinds: JobKind) -> list[Job]:
        """Jobs that wait, and were announced to the queue."""
        jobs = [self.catalogue.queue(self.video.id, kind) for kind in kinds]
        tell_due(self.catalogue, self.queue)
        return jobs


@pytest.fixture(params=["book", pytest.param("rabbitmq", marks=pytest.mark.services)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with ExitStack() as stack:
        url, access = "", None
        if request.param == "rabbitmq":
            from broker_queues import empty_broker

            url, access = stack.enter_context(empty_broker())
            monkeypatch.setattr(sys.modules[__name__], "LEASE_S", BROKER_LEASE_S)
            monkeypatch.setattr(sys.modules[__name__], "WAIT_S", BROKER_WAIT_S)
        made = Place(stack, tmp_path, url, access)
        for module in ("frametally_videos.catalogue.job_book", "frametally.adapters.sql.clock"):
            monkeypatch.setattr(f"{module}.now_ms", lambda connection: now_ms(connection) + made.ahead_ms)
        yield made


def take(consumer: JobConsumer, worker: str = "w") -> Job | None:
    return consumer.take(worker, lease_s=LEASE_S, wait_s=WAIT_S)


def taken(consumer: JobConsumer, worker: str = "w") -> Job:
    by_s = time.monotonic() + PATIENCE_S
    while (job := take(consumer, worker)) is None:
        assert time.monotonic() < by_s
    return job


def finish(place: Place, consumer: JobConsumer, job: Job) -> None:
    assert place.catalogue.end(job, "done")
    consumer.settle()


def test_each_job_is_taken_once_from_the_queue_of_its_kind(place: Place) -> None:
    kinds: list[JobKind] = ["frames", "previews", "metadata", "checks", "playable", "enhance", "removal"]
    place.queued(*kinds)
    for name, its_kinds in QUEUES.items():
        consumer = place.consumer(name)
        expected = {kind for kind in its_kinds if kind in kinds}
        found: set[JobKind] = set()
        while len(found) < len(expected):
            job = taken(consumer)
            assert job.state == "running"
            found.add(job.kind)
            finish(place, consumer, job)
        assert found == expected
        assert take(consumer) is None
    assert place.catalogue.job_states() == {"done": len(kinds)}


def test_a_worker_of_all_queues_holds_one_job_at_a_time_and_leaves_the_rest_to_others(place: Place) -> None:
    busy = place.consumer()
    assert take(busy) is None
    place.queued("frames", "previews", "metadata", "playable")
    first, free = taken(busy), place.consumer()
    rest = []
    for _ in range(3):
        rest.append(taken(free))
        finish(place, free, rest[-1])
    assert len({job.id for job in (first, *rest)}) == 4


def test_frames_do_not_wait_behind_side_jobs_of_another_video(place: Place) -> None:
    place.queued("previews", "metadata", "frames")
    assert taken(place.consumer()).kind == "frames"


@pytest.mark.thorough
def test_each_job_goes_to_one_of_many_workers(place: Place) -> None:
    for number in range(2, 22):
        video = make_video(number)
        place.catalogue.put_video(video, "v1")
        place.catalogue.queue(video.id, "frames")
        place.catalogue.queue(video.id, "previews")
    tell_due(place.catalogue, place.queue)
    got: list[str] = []

    def work(name: str) -> None:
        with closing(place.open_queue(place.catalogue).consumer(ALL)) as consumer:
            by_s = time.monotonic() + PATIENCE_S
            while len(got) < 40 and time.monotonic() < by_s:
                job = take(consumer, name)
                if job is not None:
                    got.append(job.id)
                    finish(place, consumer, job)

    at_once(*(partial(work, f"w{n}") for n in range(4)))
    assert len(got) == len(set(got)) == 40
    assert place.catalogue.job_states() == {"done": 40}


def taken_again(place: Place, worker: str) -> tuple[JobConsumer, Job]:
    """Jobs of dead workers: redelivered by a broker, and by the book once the lease expires."""
    consumer = place.consumer()
    by_s = time.monotonic() + PATIENCE_S
    while (job := take(consumer, worker)) is None:
        place.let_pass(LEASE_S)
        tell_due(place.catalogue, place.queue)
        assert time.monotonic() < by_s
    return consumer, job


@pytest.mark.thorough
def test_the_job_of_a_worker_that_is_gone_goes_to_another(place: Place) -> None:
    place.queued("frames")
    gone = place.consumer()
    held = taken(gone, "gone")
    gone.close()
    _, again = taken_again(place, "alive")
    assert (again.id, again.worker, again.attempts) == (held.id, "alive", 1)
    assert not place.catalogue.end(held, "done")


def test_a_live_worker_keeps_its_job_even_if_it_is_announced_to_others_again(place: Place) -> None:
    place.queued("frames")
    cut_off = place.consumer()
    held = taken(cut_off, "cut off")
    cut_off.close()  # the queue considers it gone
    done = threading.Event()

    def live() -> None:
        while not done.wait(0.2):
            assert place.catalogue.renew(held, lease_s=LEASE_S)

    living = threading.Thread(target=live)
    living.start()
    other = place.consumer()
    until_ms = place.now_ms() + LEASE_S * 1500
    try:
        while place.now_ms() < until_ms:
            place.let_pass(LEASE_S / 4)
            assert place.catalogue.renew(held, lease_s=LEASE_S)
            assert take(other, "other") is None
    finally:
        done.set()
        living.join()
    assert place.catalogue.end(held, "done")


def test_a_job_longer_than_the_queues_timeout_is_not_announced_again_and_survives_its_worker(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp_queue, "SETTLE_AFTER_S", 0.0)
    (job,) = place.queued("frames")
    gone = place.consumer()
    held = taken(gone, "gone")
    assert gone.keep()  # with that it is longer
    gone.close()
    if place.queue.is_told:
        from broker_queues import waiting_in
        from serving.needs import server

        assert waiting_in(server("rabbitmq"), "frames") == 0
    assert place.catalogue.renew(held, lease_s=LEASE_S), "it is still ours"
    consumer, again = taken_again(place, "alive")
    assert (again.id, again.worker, again.attempts) == (job.id, "alive", 1)
    finish(place, consumer, again)


def test_a_consumer_notices_that_it_has_lost_the_queue(place: Place) -> None:
    place.queued("frames")
    consumer = place.consumer()
    assert consumer.keep() != place.queue.is_told, "nobody was asked yet"
    taken(consumer)
    assert consumer.keep()
    consumer.close()
    assert consumer.keep() != place.queue.is_told


def test_a_finished_or_cancelled_job_is_not_taken_even_if_it_was_announced(place: Place) -> None:
    done, cancelled = place.queued("frames", "previews")
    place.catalogue.cancel_job(cancelled.id)
    job = place.catalogue.claim("w", ("frames",), lease_s=LEASE_S)
    assert job is not None
    assert place.catalogue.end(job, "done")
    consumer = place.consumer()
    for _ in range(4):
        assert take(consumer) is None
    assert done.id == job.id


def test_jobs_are_announced_again_to_a_queue_that_lost_everything(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = place.queued("frames")
    if place.queue.is_told:
        from broker_queues import remove_all
        from serving.needs import server

        remove_all(server("rabbitmq"))
        place.queue.close()  # like a broker after a restart
    consumer = place.consumer()
    monkeypatch.setattr(telling_module, "_AGAIN_AFTER_S", 0.5)
    assert taken_again(place, "w")[1].id == job.id
    assert take(consumer) is None


def test_a_job_announced_twice_is_done_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "LEASE_S", PATIENCE_S)  # no worker renews it
    (job,) = place.queued("frames")
    place.queue.tell([job, job])
    consumer, other = place.consumer(), place.consumer()
    held = taken(consumer)
    assert [take(other, "other") for _ in range(3)] == [None] * 3
    finish(place, consumer, held)
    assert [take(consumer) for _ in range(3)] == [None] * 3
    assert place.catalogue.job_states() == {"done": 1}


def test_a_job_that_kills_its_workers_is_given_up_with_the_reason(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 4 if place.queue.is_told else 1  # RabbitMQ drops a message by itself after its fifth delivery
    monkeypatch.setattr(telling_module, "MOST_LOSSES", most)
    (job,) = place.queued("frames")
    for losses in range(most + 1):
        gone, held = taken_again(place, f"w{losses}")
        assert (held.attempts, held.losses) == (1, losses)
        gone.close()
    consumer = place.consumer()
    by_s = time.monotonic() + PATIENCE_S
    while place.catalogue.job(job.id).state != "failed":
        place.let_pass(LEASE_S)
        tell_due(place.catalogue, place.queue)
        give_up_dead(place.catalogue, place.queue, place.settings)
        last = take(consumer)
        if last is not None:  # where only the book counts, the next worker sees it
            assert (last.losses, place.queue.is_told) == (most + 1, False)
            assert place.catalogue.end(last, "failed", reason=worn_out(last), counts=False)
        assert time.monotonic() < by_s
    failed = place.catalogue.job(job.id)
    assert (failed.attempts, failed.reason.split(".")[0]) == (
        0,
        f"The worker was killed {most + 1} times while it worked on it",
    )
    assert place.catalogue.retry_job(job.id).state == "queued"
    _, again = taken_again(place, "mended")
    assert (again.id, again.attempts, again.losses) == (job.id, 1, 0)


def test_jobs_that_a_process_queues_are_announced_automatically(place: Place) -> None:
    said: list[str] = []
    consumer = place.consumer()
    assert take(consumer) is None
    with telling(place.settings, place.catalogue, said.append):
        for kind in ("frames", "previews"):
            job = place.catalogue.queue(place.video.id, kind)
            held = taken(consumer)
            assert held.id == job.id
            assert place.catalogue.end(held, "failed", reason="r")
            consumer.settle()
            place.catalogue.retry_job(job.id)
            finish(place, consumer, taken(consumer))
    assert said == []


def test_the_last_queued_job_is_announced_before_the_process_ends(place: Place) -> None:
    with telling(place.settings, place.catalogue, lambda line: None):
        job = place.catalogue.queue(place.video.id, "frames")
    assert taken(place.consumer()).id == job.id


@pytest.mark.parametrize(
    ("server", "trouble"), [("127.0.0.1:1", "is not responding"), ("rabbitmq.invalid:5672", "unknown host")]
)
def test_an_unavailable_queue_does_not_prevent_queueing_a_job(
    place: Place, server: str, trouble: str
) -> None:
    away: Callable[..., Settings] = place.settings.model_copy
    said: list[str] = []
    settings = away(update={"queue_url": f"amqp://{server}"})
    with telling(settings, place.catalogue, said.append):
        job = place.catalogue.queue(place.video.id, "frames")
        by_s = time.monotonic() + PATIENCE_S
        while not said and time.monotonic() < by_s:
            time.sleep(0.01)
    assert len(said) == 1
    assert said[0].startswith("waiting, then trying again: RabbitMQ at ") and trouble in said[0]
    assert "\n" not in said[0]
    assert place.catalogue.job(job.id).state == "queued"


def test_workers_have_rights_only_to_frametallys_queues_and_viewers_to_none() -> None:
    told = json.loads(queue_definitions(dict.fromkeys(QUEUE_USERS.values(), "x")))
    rights = {one["user"]: one for one in told["permissions"]}
    assert {(one["name"], one["tags"]) for one in told["users"]} == {
        ("frametally", ""),
        ("frametally-viewer", "monitoring"),
    }
    assert {EXCHANGE.name, DEAD_LETTERS.exchange.name} == set(EXCHANGES)
    theirs = [EXCHANGE.name, DEAD_LETTERS.name, *(queue.name for queue in QUEUES_THERE.values())]
    for what in ("configure", "write", "read"):
        assert all(re.search(rights["frametally"][what], name) for name in theirs)
        assert not any(
            re.search(rights["frametally"][what], name) for name in ("amq.direct", "media2", "a.media")
        )
        assert not any(re.search(rights["frametally-viewer"][what], name) for name in theirs)
