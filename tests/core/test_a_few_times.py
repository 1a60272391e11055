"""Single calls over a network are tried a few times, and no more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from frametally.errors import FrametallyError, Misconfigured, Retryable
from frametally.process.retrying import a_few_times
from frametally.process.time_limit import time_limit


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The number of seconds of this test's pauses: threads of other tests may still sleep."""
    slept: list[float] = []
    monkeypatch.setattr(
        "frametally.process.retrying.time", SimpleNamespace(**vars(time) | {"sleep": slept.append})
    )
    yield slept


def failing(*errors: FrametallyError) -> Any:
    left = list(errors)

    def action() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return action


def test_the_caller_sees_only_the_call_that_works_in_the_end(pauses: list[float]) -> None:
    assert a_few_times(failing(*[Retryable("away")] * 7)) == "done"
    assert len(pauses) == 7
    assert sum(pauses) < 6


def test_a_call_that_never_works_fails_with_its_last_error(pauses: list[float]) -> None:
    errors = [Retryable(str(n)) for n in range(9)]
    with pytest.raises(Retryable, match="7"):
        a_few_times(failing(*errors))


def test_an_error_that_a_retry_cannot_mend_is_not_retried(pauses: list[float]) -> None:
    with pytest.raises(Misconfigured):
        a_few_times(failing(Misconfigured("wrong secret"), Retryable("away")))
    assert pauses == []


def test_a_server_that_is_silent_for_the_whole_time_limit_is_called_only_once(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally.process.retrying._SEVERAL_TRIES_S", 0.0)  # as after a long call
    with pytest.raises(Retryable, match="timed out"):
        a_few_times(failing(Retryable("timed out"), Retryable("again")))
    assert pauses == []


def test_nothing_is_retried_after_the_callers_time_limit(pauses: list[float]) -> None:
    with time_limit(0.0), pytest.raises(Retryable, match="refused"):
        a_few_times(failing(Retryable("refused")))
    with time_limit(60.0):
        assert a_few_times(failing(Retryable("refused"))) == "done"
    assert len(pauses) == 1
