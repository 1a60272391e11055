"""A stage's progress: a bar on a terminal, only its lines in a file."""

from __future__ import annotations

import io
import sys
from functools import cache

import pytest

from frametally.console import output


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_working_stage_shows_a_bar_only_on_a_terminal(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(printed, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", printed)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(output, "err", cache(output.err.__wrapped__))  # other tests keep theirs
    with output.stage_bar("detections") as bar:
        bar.say("a [line] of gate:car:")
        bar.update(3, 10, "gate")
    assert "a [line] of gate:car:" in printed.getvalue()
    assert ("3/10" in printed.getvalue()) is is_terminal
