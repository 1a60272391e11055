"""How soon a worker is at a job: by RabbitMQ, beside a bare message of it, and by the catalogue's own table.

    make services-up SERVICES=rabbitmq
    python benchmarks/job_queue.py [--times 100]

An idle worker waits, a job is queued and told of, the worker has claimed it; one after the other. A bare
message is one that kombu publishes, confirmed, and another connection of it receives. Then a worker is killed
with a job in hand, and the time goes until another has it.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from kombu import Connection, Consumer, Queue
from results import Goal, Table, save
from services import running_servers

from frametally.process.limits import in_thread
from frametally.settings.environment import environment_of
from frametally.settings.fields import SecretStr
from frametally.settings.loading import Settings, load_settings
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.jobs.job_bells import telling
from frametally_videos.opening import open_task_queue, open_video_catalogue
from frametally_videos.settings import VideoSettings

VIDEO, LEASE_S, PATIENCE_S = "a-video", 30.0, 60.0
KILLS = 10
TAKE = """
import sys, time
from contextlib import closing
from frametally_videos.opening import open_task_queue, open_video_catalogue
from frametally.settings.loading import load_settings
from frametally_videos.settings import VideoSettings
settings = load_settings("producer").part(VideoSettings)
with closing(open_video_catalogue(settings.catalogue_url)) as book:
    queue = open_task_queue(settings.queue_url, book, settings.queue_access)
    consumer = queue.consumer(["media"])
    while consumer.take("who dies", lease_s=30.0, wait_s=1.0) is None:
        pass
    print("taken", flush=True)
    while True:
        consumer.keep()
        time.sleep(0.2)
"""


def broker() -> dict[str, str]:
    """URL, name and password of the RabbitMQ that is up."""
    servers = running_servers()
    if "RABBITMQ_URL" not in servers:
        raise SystemExit("no RabbitMQ is up: make services-up SERVICES=rabbitmq")
    return {name: servers[f"RABBITMQ_{name}"] for name in ("URL", "USER", "PASSWORD")}


@contextmanager
def taker(settings: Settings, taken: Callable[[float], None]) -> Iterator[None]:
    """While it lasts, a worker takes and ends whatever comes, and tells when it was claimed."""
    of_videos = settings.part(VideoSettings)

    def take(stop: threading.Event) -> None:
        with (
            closing(open_video_catalogue(settings.catalogue_url)) as book,
            closing(open_task_queue(of_videos.queue_url, book, of_videos.queue_access)) as queue,
            closing(queue.consumer(["media"])) as consumer,
        ):
            while not stop.is_set():
                job = consumer.take("worker", lease_s=LEASE_S, wait_s=0.25)
                if job is not None:
                    taken(time.perf_counter())
                    book.end(job, "done")
                    consumer.settle()

    with in_thread(take, name="taker"):
        yield


def until_claimed_ms(settings: Settings, book: VideoCatalogue, times: int) -> list[float]:
    """Queue so many jobs, one after the other; how long it took until each was claimed."""
    at_s: list[float] = []
    arrived = threading.Event()

    def note(now_s: float) -> None:
        at_s.append(now_s)
        arrived.set()

    took = []
    with taker(settings, note), telling(settings, book, print):
        for number in range(times + 5):  # the first ones connect
            arrived.clear()
            time.sleep(0.02 + number % 7 * 0.05)  # at any moment of whoever looks now and then
            began_s = time.perf_counter()
            book.queue(VIDEO, "previews")
            if not arrived.wait(PATIENCE_S):
                raise SystemExit("a job was not taken within a minute")
            took.append((at_s[-1] - began_s) * 1000)
    return took[5:]


def bare_ms(values: dict[str, str], times: int) -> list[float]:
    """Publish so many confirmed messages to a queue of the same kind; how long until each was received."""
    queue = Queue("frametally-benchmark", queue_arguments={"x-queue-type": "quorum"}, durable=True)
    login = {"userid": values["USER"], "password": values["PASSWORD"]}
    took, got = [], threading.Event()
    stop = threading.Event()

    def receive() -> None:
        with Connection(values["URL"], **login) as connection:

            def arrived(message: object) -> None:
                message.ack()  # type: ignore[attr-defined]
                got.set()

            with Consumer(connection, [queue], on_message=arrived, prefetch_count=1):
                while not stop.is_set():
                    with suppress(TimeoutError):
                        connection.drain_events(timeout=0.25)

    with Connection(values["URL"], **login, transport_options={"confirm_publish": True}) as connection:
        queue(connection).declare()
        thread = threading.Thread(target=receive)
        thread.start()
        producer = connection.Producer()
        for _ in range(times + 5):
            got.clear()
            time.sleep(0.05)
            began_s = time.perf_counter()
            producer.publish({"id": VIDEO}, routing_key=queue.name, delivery_mode=2)
            got.wait(PATIENCE_S)
            took.append((time.perf_counter() - began_s) * 1000)
        stop.set()
        thread.join()
        queue(connection).delete()
    return took[5:]


def until_taken_over_ms(settings: Settings, book: VideoCatalogue) -> list[float]:
    """Kill a worker with a job in hand, so many times; how long until another has it."""
    took: list[float] = []
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", TAKE],
            env=os.environ | environment_of(settings),
            stdout=subprocess.PIPE,
        ) as victim:
            with telling(settings, book, print):
                book.queue(VIDEO, "previews")
                assert victim.stdout  # noqa: S101 - for the type checker
                victim.stdout.readline()
                arrived = threading.Event()
                at_s: list[float] = []

                def note(now_s: float, at_s: list[float] = at_s, arrived: threading.Event = arrived) -> None:
                    at_s.append(now_s)
                    arrived.set()

                with taker(settings, note):
                    time.sleep(1.0)
                    killed_s = time.perf_counter()
                    victim.send_signal(signal.SIGKILL)
                    arrived.wait(2 * PATIENCE_S)
            took.append((at_s[0] - killed_s) * 1000 if at_s else float("inf"))
    return took


def row(what: str, ms: list[float]) -> list[str | int | float | None]:
    """Median, 95th percentile and longest of some times."""
    longest = sorted(ms)
    return [
        what,
        round(statistics.median(ms), 1),
        round(longest[min(len(ms) - 1, int(len(ms) * 0.95))], 1),
        round(longest[-1], 1),
    ]


def main() -> None:
    """Measure, in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    values = broker()
    with tempfile.TemporaryDirectory() as folder:
        table = load_settings("producer", data_dir=Path(folder))
        queue = table.model_copy(
            update={
                "queue_url": values["URL"].replace("://", f"://{values['USER']}@", 1),
                "queue_password": SecretStr(values["PASSWORD"]),
            }
        )
        with closing(open_video_catalogue(table.catalogue_url)) as book:
            rows = [
                row("a bare message, confirmed", bare_ms(values, asked.times)),
                row("a job by RabbitMQ", until_claimed_ms(queue, book, asked.times)),
                row("a job by the catalogue's table", until_claimed_ms(table, book, asked.times)),
            ]
            killed = [row("by RabbitMQ, after SIGKILL", until_taken_over_ms(queue, book))]
    save(
        name="job_queue",
        title="How soon a worker is at a job",
        about=f"{asked.times} jobs, each queued when the one before was claimed, with one idle worker; "
        "catalogue in SQLite, RabbitMQ with quorum queues on the same machine.",
        load_before=load_before,
        packages=["kombu", "SQLAlchemy"],
        tables=[
            Table(
                title="Queued to claimed", columns=["what", "median, ms", "p95, ms", "most, ms"], rows=rows
            ),
            Table(
                title=f"A worker killed with a job in hand, {KILLS} times, to another's claim",
                columns=["what", "median, ms", "p95, ms", "most, ms"],
                rows=killed,
            ),
        ],
        goals=[
            Goal(
                what="RabbitMQ: queued to claimed, median, ms", measured=float(rows[1][1] or 0), at_most=100
            ),
            Goal(what="table: queued to claimed, p95, ms", measured=float(rows[2][2] or 0), at_most=500),
            Goal(
                what="SIGKILL to another's claim, most, ms", measured=float(killed[0][3] or 0), at_most=1000
            ),
        ],
    )


if __name__ == "__main__":
    main()
