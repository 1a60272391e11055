"""The supervisor of `--workers N` restarts each worker after any failure, even before the worker can wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.said import Said
from tests.kit.http_server import Answers, answering

from frametally.process import retrying
from frametally.settings.loading import load_settings
from frametally_consumer import supervisor

WORK = supervisor._work

EMPTY_BUCKET = b"""<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Name>bucket</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"""


@contextmanager
def empty_bucket(is_away: threading.Event) -> Iterator[str]:
    """The address of a store that lists nothing, or answers 503."""

    class Handler(Answers):
        def do_GET(self) -> None:  # noqa: N802 - as the library has it
            self.answer(503) if is_away.is_set() else self.answer(200, EMPTY_BUCKET)

    with answering(Handler) as url:
        yield url


def work_without_patience(*arguments: Any) -> None:
    """Act as a worker's process that tries a call of the store once, not for four seconds."""
    setattr(retrying, "is_time_for", lambda seconds: False)  # noqa: B010
    WORK(*arguments)


def test_a_worker_that_finds_the_store_down_at_its_start_is_restarted_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_work", work_without_patience)
    away = threading.Event()
    away.set()

    class BackAfterTheFirstWord(Said):
        def say(self, line: str) -> None:
            super().say(line)
            away.clear()

    said = BackAfterTheFirstWord()
    with empty_bucket(away) as address:
        settings = load_settings(
            data_dir=tmp_path,
            detector="pixels",
            store_url="s3://bucket",
            store_endpoint=address,
            store_access_key="key",
            store_secret_key="secret",  # noqa: S106
            log_partitions=1,
        )
        ended = supervisor.consume_with_workers(1, settings=settings, progress=said, until_caught_up=True)
    assert ended.failures == 0
    first, second = said.lines
    assert first.startswith("worker 1: s3://bucket at http://127.0.0.1")
    assert second.startswith("worker 1 ended with code 1: it starts again in ")
    assert ended.report.model.startswith("pixels")
