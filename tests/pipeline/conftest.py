"""The whole path as users run it: by the command line, in separate processes."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.capabilities import HERE
from tests.commands import Finished, run_frametally

from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.books.runs import current_runs, read_run
from frametally.ports.object_store import ObjectStore
from frametally.rules.places import SIMULATED_MODEL, is_of_places
from frametally.segments.contents import list_segments, read_segment
from frametally.settings.loading import load_settings

START_TIME = "2026-01-01T08:00:00Z"
DETECTOR = os.environ.get("FRAMETALLY_DETECTOR", "opencv")  # the oracle's setting


@pytest.fixture(autouse=True)
def with_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Footage that is compared with `counted_clip` must be detected in the same way."""
    monkeypatch.setenv("FRAMETALLY_DETECTOR", DETECTOR)


Table = dict[tuple[str, int], int]
"""Detections by label and start of the interval in milliseconds since the epoch."""


class Counted(NamedTuple):
    """One finished run of the whole path."""

    data_dir: Path
    finished: Finished


@pytest.fixture(scope="session")
def counted_clip(
    traffic_clip: Path, model_files: object, tmp_path_factory: pytest.TempPathFactory
) -> Counted:
    """The traffic clip, counted with an interval of 1 s."""
    folder = tmp_path_factory.mktemp("counted")
    finished = run_frametally(
        *(
            "run",
            traffic_clip,
            "--source",
            "Traffic",
            "--start-time",
            START_TIME,
            "--interval",
            1,
            "--no-serve",
        ),
        cwd=folder,
        FRAMETALLY_DETECTOR=DETECTOR,
    )
    return Counted(folder / "frametally-data", finished)


def table_of_part_files(data_dir: Path) -> Table:
    with closing(open_object_store(f"file://{data_dir}/store")) as store:
        return {
            (count.label, count.interval_start_ms): count.detections
            for run in current_runs(store)
            if not is_of_places(run.model) and run.model != SIMULATED_MODEL
            for count in read_run(store, run)[0]
        }


def table_of_segments(data_dir: Path, least_confidence: float, interval_s: int) -> Table:
    counter: Counter[tuple[str, int]] = Counter()
    with closing(open_object_store(f"file://{data_dir}/store")) as store:
        for key in list_segments(store):
            for frame in read_segment(store, key).frames():
                start_ms = frame.captured_at_ms // (interval_s * 1000) * interval_s * 1000
                counter.update(
                    (detection.label, start_ms)
                    for detection in frame.detections
                    if detection.confidence >= least_confidence
                )
    return dict(counter)


def table_of_api(data_dir: Path, interval_s: int) -> Table:
    from frametally_web.app import close_app, create_app

    settings = load_settings(data_dir=data_dir, interval_s=interval_s)
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_count_index(settings.index_url)) as index,
        closing(open_ledger(settings.ledger_url)) as ledger,
        closing(open_frame_log(settings.log_url)) as log,
        ExitStack() as stack,
    ):
        of_plugins = {}
        if "videos" in HERE:
            from frametally_videos.catalogue_by_url import open_video_catalogue

            catalogue = open_video_catalogue(settings.catalogue_url)
            of_plugins["catalogue"] = stack.enter_context(closing(catalogue))
        app = create_app(settings=settings, store=store, index=index, ledger=ledger, log=log, **of_plugins)
        response = app.test_client().get(f"/api/counts?interval={interval_s}")
        close_app(app)
        assert response.status_code == 200, response.text
        return {
            (bucket["label"], bucket["start_ms"]): bucket["detections"]
            for bucket in response.json["buckets"]
            if bucket["detections"]
        }


class Tables(NamedTuple):
    """How to read the same table from each of its places."""

    of_part_files: Callable[[Path], Table]
    of_segments: Callable[[Path, float, int], Table]
    of_api: Callable[[Path, int], Table]


@pytest.fixture(scope="session")
def tables() -> Tables:
    return Tables(table_of_part_files, table_of_segments, table_of_api)


def read_part_files(store: ObjectStore) -> dict[str, bytes]:
    return {
        f"{run.day}/{name}": gzip.decompress(store.get(f"{run.prefix}/{name}"))
        for run in current_runs(store)
        for name in run.parts
    }


def part_files(data_dir: Path) -> dict[str, bytes]:
    with closing(open_object_store(f"file://{data_dir}/store")) as store:
        return read_part_files(store)
