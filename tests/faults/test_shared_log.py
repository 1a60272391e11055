"""4 producers, 4 consumers and a reader on one SQLite log: every message that goes in comes out."""

from __future__ import annotations

import multiprocessing
import os
import runpy
from contextlib import closing
from pathlib import Path

from tests.kit.waiting import until

from frametally.adapters_by_url import open_frame_log

MEMBER = Path(__file__).with_name("log_member.py")
MESSAGES = int(os.environ.get("FAULTS_MESSAGES", "50000"))
TOPIC, GROUP = "frames", "counters"


def start(role: str, *arguments: object) -> multiprocessing.process.BaseProcess:
    context = multiprocessing.get_context("forkserver")
    process = context.Process(
        target=runpy.run_path,
        args=(str(MEMBER),),
        kwargs={"init_globals": {"ROLE": role, "ARGUMENTS": arguments}, "run_name": "__main__"},
    )
    process.start()
    return process


def test_four_producers_four_consumers_and_a_reader_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.sqlite"
    stop = tmp_path / "stop"
    with closing(open_frame_log(url)) as log:
        log.create_topic(TOPIC, 8)
    outputs = [tmp_path / f"consumed-{number}" for number in range(4)]
    each = MESSAGES // 4
    running = [start("consume", url, output, stop) for output in outputs]
    running.append(start("read", url, tmp_path / "looked", stop))
    producers = [start("produce", url, number, each) for number in range(4)]
    try:
        for process in producers:
            process.join(200)
            assert process.exitcode == 0
        with closing(open_frame_log(url)) as log:
            ends = log.end_offsets(TOPIC)
            assert sum(ends.values()) == 4 * each
            until(lambda: log.committed(TOPIC, GROUP) == ends, "all is committed", within_s=200)
        stop.touch()
        for process in running:
            process.join(30)
            assert process.exitcode == 0
    finally:
        for process in running + producers:
            process.kill()
            process.join()
    consumed = [output.read_bytes().split() for output in outputs]
    expected = {f"{number}/{at}".encode() for number in range(4) for at in range(each)}
    assert set().union(*consumed) == expected
    assert sorted(map(len, consumed))[-2] >= 0.05 * MESSAGES, "one consumer did it all: that proves nothing"
    assert int((tmp_path / "looked").read_text()) > 10
