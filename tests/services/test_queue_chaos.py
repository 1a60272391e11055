"""Workers, their jobs and the broker are killed: every job ends, and the end is that of a quiet run.

The full number is `FAULTS_QUEUE_VIDEOS=60 FAULTS_QUEUE_KILLS=100`.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from broker_queues import empty_broker, waiting_in
from postgres_schemas import fresh_schema
from serving.needs import server
from serving.own import OwnServer
from serving.state import with_user
from tests.kit.clips import noisy, write_clip
from tests.videos.test_work_kills import children_of
from tests.videos.video_place import VideoPlace
from tests.videos.video_records import all_keys, rows_and_jobs

from frametally.settings.environment import environment_of
from frametally_videos.catalogue.catalogue_rows import MOST_LOSSES, Job, JobQuestion
from frametally_videos.queues.amqp_queue import DEAD_LETTERS, QUEUES_THERE
from frametally_videos.records import VideoRecord
from frametally_videos.settings import VideoSettings

pytestmark = [pytest.mark.services, pytest.mark.timeout(4 * 3600)]

VIDEOS = int(os.environ.get("FAULTS_QUEUE_VIDEOS", "3"))
KILLS = int(os.environ.get("FAULTS_QUEUE_KILLS", "5"))
SEED = int(os.environ.get("FAULTS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
WORKERS = 3
PATIENCE_S = 600.0 + 60 * VIDEOS
# After so many kills, a job would wait for ten minutes; a file says what kills a preview job for now.
WORKER = """
import os, signal, sys
from pathlib import Path
from frametally_cli.main import main
from frametally_videos.jobs import attempt, job_worker
from frametally_videos.queues import amqp_queue
job_worker._PAUSES_S = (0.0,)
job_worker.ATTEMPTS = 100
amqp_queue.SETTLE_AFTER_S = float(os.environ.get("SETTLE_AFTER_S", amqp_queue.SETTLE_AFTER_S))
fault = Path(os.environ["FAULT"])
start = attempt.Attempt._start
def poisoned(self, handed):
    kind = fault.read_text() if fault.exists() and self.job.kind == "previews" else ""
    if kind == "worker":
        os.kill(os.getpid(), signal.SIGKILL)
    process = start(self, handed)
    if kind == "child":
        process._process.send_signal(signal.SIGSEGV)
    return process
attempt.Attempt._start = poisoned
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("footage")
    return [write_clip(folder / f"cam-{number:02}.mp4", noisy(5, number)) for number in range(VIDEOS)]


class Place(VideoPlace):
    """A data folder with videos in it, and workers on it."""

    def __init__(self, folder: Path, clips: list[Path], **where: Any) -> None:
        super().__init__(folder / "data", **{"sample_fps": "all", "lease_s": 4 / 3, **where})
        self.fault = folder / "fault"
        self._said = folder / "said.txt"
        self._stack = ExitStack()
        self.videos: list[VideoRecord] = [
            self.upload(clip, start_time=f"2026-03-01T{number // 60:02}:{number % 60:02}:00Z")
            for number, clip in enumerate(clips)
        ]

    def close(self) -> None:
        self._stack.close()
        super().close()

    @property
    def said(self) -> list[str]:
        """The workers' output so far."""
        return self._said.read_text().splitlines()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WORKER, "work", "--data-dir", str(self.settings.data_dir)]
        secrets = {
            "FRAMETALLY_QUEUE_PASSWORD": self.settings.part(VideoSettings).queue_password.get_secret_value(),
            "FRAMETALLY_LEDGER_PASSWORD": self.settings.ledger_password.get_secret_value(),
        }
        with self._said.open("ab") as said:
            process = subprocess.Popen(
                [*command, *arguments],
                env=os.environ | environment_of(self.settings) | secrets | {"FAULT": str(self.fault)},
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def finish(self) -> None:
        """Have all jobs end, and all results noted."""
        worker = self.start("--until-done")
        assert worker.wait(PATIENCE_S) == 0, self.said[-20:]

    def first_job(self, kind: str) -> Job:
        return next(job for job in self.catalogue.jobs(self.videos[0].id) if job.kind == kind)

    def end(self) -> tuple[list[Any], dict[str, Any]]:
        """The catalogue without attempts, and the store, without ids and wall-clock times."""
        rows = [
            (*row, [job[:2] for job in jobs])  # type: ignore[attr-defined]
            for *row, jobs in rows_and_jobs(self.catalogue)
        ]
        names = {video.id: video.name for video in self.videos}
        made: list[Any] = sorted(
            (names[video.id], one.kind, one.key.rpartition("/")[2], one.content_type)
            for video in self.videos
            for one in self.catalogue.video(video.id).artifacts
        )
        objects: dict[str, Any] = {}
        for key in all_keys(self.store):
            place, (top, _, rest) = key, key.partition("/")
            if top == "videos":
                video_id, _, name = rest.partition("/")
                if video_id in names:
                    place = f"{names[video_id]}/{name}"
                    top = "original" if name == "original" else "pictures" if name.endswith("jpg") else top
            objects[place] = self.store.get(key) if top in ("images", "original", "pictures") else None
        return [rows, made], objects


def until(holds: Callable[[], bool], place: Place, within_s: float = PATIENCE_S) -> None:
    by_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < by_s, (place.catalogue.job_states(), place.said[-20:])
        time.sleep(0.1)


def is_quiet(place: Place) -> bool:
    return not place.catalogue.find_jobs(JobQuestion(states=("queued", "running"), limit=1)).jobs


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, clips: list[Path]) -> tuple[list[Any], dict[str, Any]]:
    """The result of a run without faults."""
    with closing(Place(tmp_path_factory.mktemp("quiet"), clips)) as place:
        place.finish()
        assert set(place.catalogue.job_states()) == {"done"}
        return place.end()


def through(broker: OwnServer) -> dict[str, Any]:
    return {
        "queue_url": with_user(broker.values["URL"], broker.values["USER"]),
        "queue_password": broker.values["PASSWORD"],
    }


@pytest.mark.parametrize("kind", ["rabbitmq", "postgres"])
def test_whichever_process_is_killed_every_job_ends_once_with_the_usual_result(
    tmp_path: Path, clips: list[Path], quiet: tuple[list[Any], dict[str, Any]], kind: str
) -> None:
    print("seed", SEED)
    rng = random.Random(SEED)  # noqa: S311
    with ExitStack() as stack:
        broker: OwnServer | None = None
        where: dict[str, Any] = {}
        if kind == "rabbitmq":
            broker = stack.enter_context(OwnServer("rabbitmq", tmp_path / "broker"))
            where |= through(broker)
        if kind == "postgres":
            url, access = stack.enter_context(fresh_schema())
            password = access.password.get_secret_value()
            where |= {"catalogue_url": with_user(url, access.user), "ledger_password": password}
        place = stack.enter_context(closing(Place(tmp_path, clips, **where)))
        workers = [place.start() for _ in range(WORKERS)]
        for _ in range(KILLS):
            # Killed before it starts working, as on a slow machine, a worker would lose nothing.
            until(lambda: is_quiet(place) or any(children_of(one.pid) for one in workers), place)
            time.sleep(rng.uniform(0.2, 2.0))
            number = rng.randrange(WORKERS)
            fate = rng.random()
            jobs = children_of(workers[number].pid)
            if broker is not None and fate < 0.1:
                broker.signal(signal.SIGKILL, "broker")
                time.sleep(rng.uniform(0.0, 2.0))
                broker.up()
            elif jobs and fate < 0.5:
                os.kill(rng.choice(jobs), signal.SIGKILL)
            else:
                workers[number].kill()
                workers[number].wait()
                workers[number] = place.start()
        until(lambda: is_quiet(place), place)
        if broker is not None:
            values = broker.values
            names = [*QUEUES_THERE, DEAD_LETTERS.name]
            until(lambda: not any(waiting_in(values, name) for name in names), place)
        for worker in workers:
            worker.terminate()
            worker.wait(PATIENCE_S)
        place.finish()
        assert set(place.catalogue.job_states()) == {"done"}
        assert place.end() == quiet


@pytest.fixture(params=["rabbitmq", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path, clips: list[Path]) -> Iterator[Place]:
    with ExitStack() as stack:
        where: dict[str, Any] = {}
        if request.param == "rabbitmq":
            url, access = stack.enter_context(empty_broker())
            where = {
                "queue_url": with_user(url, access.user),
                "queue_password": access.password.get_secret_value(),
            }
        yield stack.enter_context(closing(Place(tmp_path, clips[:1], **where)))


def mended(place: Place, failed: Job) -> None:
    """Failed jobs are listed, and one command repeats them."""
    assert [job.id for job in place.catalogue.find_jobs(JobQuestion(states=("failed",))).jobs] == [failed.id]
    place.fault.unlink()
    assert place.catalogue.retry_job(failed.id).state == "queued"
    place.finish()
    assert set(place.catalogue.job_states()) == {"done"}


def test_a_job_whose_process_is_always_killed_fails_with_its_reason_after_three_attempts(
    place: Place,
) -> None:
    place.fault.write_text("child")
    assert place.start("--until-done").wait(PATIENCE_S) == 6  # one job failed, and is named
    failed = place.first_job("previews")
    assert (failed.state, failed.attempts) == ("failed", 3)
    assert "killed (SIGSEGV) 3 times" in (failed.reason or "")
    mended(place, failed)


def test_a_job_that_kills_its_workers_eventually_fails_with_its_reason(place: Place) -> None:
    place.fault.write_text("worker")
    place.start().wait(PATIENCE_S)
    # The others that it would kill wait for ten minutes each; here their workers are lost without a process.
    for _ in range(MOST_LOSSES):
        until(lambda: place.catalogue.claim("lost", ("previews",), lease_s=0.0) is not None, place)
    worker = place.start()
    until(lambda: place.first_job("previews").state == "failed", place)
    worker.terminate()
    worker.wait(PATIENCE_S)
    failed = place.first_job("previews")
    assert (failed.attempts, failed.losses) == (0, MOST_LOSSES + 1)
    assert failed.reason.startswith(f"The worker was killed {MOST_LOSSES + 1} times while it worked on it.")
    if place.settings.part(VideoSettings).queue_url:
        assert waiting_in(server("rabbitmq"), DEAD_LETTERS.name) == 0
    mended(place, failed)


def test_a_worker_suspended_past_its_lease_changes_nothing_when_it_wakes_up(
    place: Place, clips: list[Path]
) -> None:
    stopped = place.start()
    held: list[Job] = []
    while not held:
        until(lambda: bool(place.catalogue.find_jobs(JobQuestion(states=("running",))).jobs), place)
        stopped.send_signal(signal.SIGSTOP)
        held = place.catalogue.find_jobs(JobQuestion(states=("running",))).jobs
        if not held:
            stopped.send_signal(signal.SIGCONT)
    other = place.start()
    until(lambda: is_quiet(place), place)
    jobs, made = place.catalogue.jobs(place.videos[0].id), place.end()
    stopped.send_signal(signal.SIGCONT)
    stopped.terminate()
    stopped.wait(PATIENCE_S)
    other.terminate()
    other.wait(PATIENCE_S)
    assert {job.state for job in jobs} == {"done"}
    assert place.catalogue.job(held[0].id).attempts == 1  # the lost worker had that one
    assert place.catalogue.jobs(place.videos[0].id) == jobs
    assert place.end()[1] == made[1]


def test_a_broker_that_loses_everything_loses_no_job(tmp_path: Path, clips: list[Path]) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(OwnServer("rabbitmq", tmp_path / "broker"))
        place = stack.enter_context(closing(Place(tmp_path, clips, **through(broker))))
        place.start("--queue", "frames")  # it announces all, and does some
        values = broker.values
        until(lambda: waiting_in(values, "media") == VIDEOS, place)
        broker.signal(signal.SIGKILL, "broker")
        shutil.rmtree(tmp_path / "broker" / "rabbitmq" / "mnesia")
        broker.up()
        place.finish()
        assert set(place.catalogue.job_states()) == {"done"}


def test_an_unavailable_broker_is_waited_for_with_one_line(tmp_path: Path, clips: list[Path]) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(OwnServer("rabbitmq", tmp_path / "broker"))
        where = through(broker)
        broker.down()
        place = stack.enter_context(closing(Place(tmp_path, clips[:1], **where)))
        worker = place.start("--until-done")
        until(lambda: bool(place.said), place)
        time.sleep(3)
        (line,) = set(place.said)
        address = where["queue_url"].rpartition("@")[2]
        assert line.startswith(f"waiting, then trying again: RabbitMQ at {address} is not responding")
        assert "FRAMETALLY_QUEUE_URL" in line
        broker.up()
        assert worker.wait(PATIENCE_S) == 0, place.said[-20:]
        assert set(place.catalogue.job_states()) == {"done"}


def wrong(values: dict[str, Any]) -> dict[str, tuple[dict[str, Any], str]]:
    broker = server("rabbitmq")
    host = values["queue_url"].removeprefix("amqp://")
    tls = with_user(broker["TLS_URL"], broker["USER"])
    return {
        "kind": ({"queue_url": "amq://x"}, "this kind of queue is not supported; use amqp://"),
        "in the URL": (
            {"queue_url": f"amqp://me:secret@{host.rpartition('@')[2]}"},
            "set FRAMETALLY_QUEUE_PASSWORD",
        ),
        "password": ({"queue_password": "wrong"}, "refused the user name 'frametally' or its password"),
        "virtual host": ({"queue_url": f"amqp://{host}/none"}, "to use the virtual host 'none'"),
        "authority": ({"queue_url": tls}, "set FRAMETALLY_CA_FILE to the certificate file of its authority"),
        "plain": ({"queue_url": f"amqps://{host}"}, "does not use TLS"),
    }


WRONG = ["kind", "in the URL", "password", "virtual host", "authority", "plain"]


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("place", ["rabbitmq"], indirect=True)
def test_an_error_that_a_person_must_mend_is_one_line_with_the_remedy(place: Place, what: str) -> None:
    settings = place.settings
    queue = settings.part(VideoSettings)
    values = {"queue_url": queue.queue_url}
    change, line = wrong(values)[what]
    place.settings = settings.model_copy(
        update={name: type(getattr(settings, name))(value) for name, value in change.items()}
    )
    assert place.start("--until-done").wait(PATIENCE_S) == 2
    said = [one for one in place.said if line in one]
    assert len(set(said)) == 1, place.said
    assert not any("secret" in one or "Traceback" in one for one in place.said)


@pytest.mark.parametrize("place", ["rabbitmq"], indirect=True)
def test_a_broker_with_tls_delivers_jobs(place: Place) -> None:
    values = server("rabbitmq")
    change = {"queue_url": with_user(values["TLS_URL"], values["USER"]), "ca_file": Path(values["CA_FILE"])}
    place.settings = place.settings.model_copy(update=change)
    place.finish()
    assert set(place.catalogue.job_states()) == {"done"}
