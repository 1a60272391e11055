"""One process on a shared log: a producer, a consumer, or a reader that only looks. Run by runpy.run_path."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from frametally.adapters_by_url import open_frame_log
from frametally.ports.frame_log import LeaseLost

TOPIC, GROUP = "frames", "counters"


def produce(url: str, number: int, messages: int) -> None:
    with closing(open_frame_log(url)) as log:
        for first in range(0, messages, 50):
            batch = [f"{number}/{at}".encode() for at in range(first, min(first + 50, messages))]
            log.publish(TOPIC, [(value[:-1], value) for value in batch])


def consume(url: str, output: Path, stop: Path) -> None:
    with closing(open_frame_log(url, lease_s=5.0)) as log, output.open("ab", buffering=0) as file:
        consumer = log.subscribe(TOPIC, GROUP, on_assigned=lambda _: None, on_revoked=lambda _: None)
        with closing(consumer):
            while not stop.exists():
                records = consumer.poll(timeout_s=0.1, max_records=200)
                if not records:
                    continue
                # Like a worker: first the effect, then the commit.
                file.write(b"".join(record.value + b"\n" for record in records))
                for partition, offset in {r.partition: r.offset + 1 for r in records}.items():
                    try:
                        consumer.commit(partition, offset)
                    except LeaseLost:
                        continue


def read(url: str, output: Path, stop: Path) -> None:
    """The queries of `status`, repeated: no answer may go backwards, or beyond the end."""
    looked = 0
    before: dict[int, int] = {}
    with closing(open_frame_log(url)) as log:
        while not stop.exists():
            committed, ends = log.committed(TOPIC, GROUP), log.end_offsets(TOPIC)
            assert all(ends[p] >= before.get(p, 0) for p in ends)
            assert all(offset <= ends[p] for p, offset in committed.items())
            before = ends
            looked += 1
            time.sleep(0.02)
    output.write_text(str(looked))


if __name__ == "__main__":
    # Set by runpy.run_path(..., init_globals=...).
    role, arguments = globals()["ROLE"], globals()["ARGUMENTS"]
    {"produce": produce, "consume": consume, "read": read}[role](*arguments)
