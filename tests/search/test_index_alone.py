"""The indexer needs the store and the index only."""

from __future__ import annotations

from pathlib import Path

from tests.commands import run_frametally


def test_the_indexer_works_without_the_library_of_the_log(tmp_path: Path) -> None:
    done = run_frametally("index", cwd=tmp_path, FRAMETALLY_LOG_URL="not-installed://host")
    assert (done.code, "no runs in" in done.out + done.err) == (0, True), done
