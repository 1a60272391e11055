"""After `frametally demo` every page has content: the clip is a video that plays, and lines are crossed."""

from __future__ import annotations

import csv
import io
import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.commands import run_frametally

from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.media.kept_data import undeclared
from frametally.openers.port_openers import open_ports
from frametally.ports.count_index import CountQuery
from frametally.rules.places import FLOWS, SIMULATED_MODEL
from frametally.settings.loading import load_settings
from frametally_alerts.book import AlertBook
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import NOT_MEASURED
from frametally_videos.catalogue.catalogue_rows import VideoQuestion
from frametally_videos.catalogue_by_url import open_video_catalogue

pytestmark = pytest.mark.thorough


def shown(folder: Path) -> dict[str, Any]:
    """Return what the pages show of the demo."""
    with (
        closing(open_video_catalogue(f"sqlite:///{folder}/catalogue.sqlite")) as catalogue,
        closing(open_object_store(f"file://{folder}/store")) as store,
        closing(open_count_index(f"sqlite:///{folder}/index.sqlite")) as index,
    ):
        rows = catalogue.videos(VideoQuestion()).rows
        series, simulated = index.series()
        assert simulated.model == SIMULATED_MODEL
        flows = CountQuery(f"{series.model}~{FLOWS}", series.base_interval_s, by_source=True)
        places = index.histogram(flows).buckets
        return {
            "videos": [
                (row.record.id, row.record.source_name, row.state, row.books.labels["car"]) for row in rows
            ],
            "made": sorted(made.kind for row in rows for made in row.artifacts),
            "jobs": sorted((job.kind, job.state) for row in rows for job in catalogue.jobs(row.record.id)),
            "drawn": [shape.name for shape in read_drawing(store, "traffic").shapes],
            "sources": [one.source for one in index.sources(series.model)],
            "simulated": [(one.source, one.frames) for one in index.sources(simulated.model)],
            "crossings": sum(
                one.detections
                for one in places
                if "/line/near/" in (one.source or "") and not (one.source or "").endswith(NOT_MEASURED)
            ),
        }


def test_the_demo_leaves_a_video_and_crossed_lines_and_a_second_run_changes_nothing(
    traffic_clip: Path, model_files: object, tmp_path: Path
) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    where = ("--data-dir", folder)

    def listed(group: str, name: str) -> list[dict[str, Any]]:
        listing: dict[str, list[dict[str, Any]]] = json.loads(
            run_frametally(group, "list", "--json", *where, cwd=tmp_path).out
        )
        return listing[name]

    shutil.copy(traffic_clip, folder)
    first = run_frametally("demo", "--no-serve", "--data-dir", folder, cwd=tmp_path)
    assert first.code == 0, first.err
    there = shown(folder)
    [(_, source, state, cars)] = there["videos"]
    assert (source, state) == ("Traffic", "ready")
    assert cars > 100
    assert {"poster", "playable"} <= set(there["made"])
    assert {state for _, state in there["jobs"]} == {"done"}
    assert there["crossings"] == 10  # as counted by a person
    assert there["drawn"] == ["far", "near", "left lane"]
    for command in (("gold",), ("iceberg",), ("backup",)):
        assert run_frametally(*command, *where, cwd=tmp_path).code == 0
    with open_ports(load_settings(data_dir=folder)) as ports:
        assert list(undeclared(ports)) == [str(folder / "traffic.mp4")]
    assert there["sources"] == ["traffic"]
    assert [source for source, _ in there["simulated"]] == ["simulated-old-bridge", "simulated-station-road"]
    assert [rule["name"] for rule in listed("alerts", "rules")] == ["Rush hour at the simulated Station Road"]
    with closing(AlertBook(f"sqlite:///{folder}/catalogue.sqlite")) as book:
        assert len(book.newest_alerts(["Rush hour at the simulated Station Road"], 9)) == 9
    [check] = listed("accuracy", "checks")
    assert (check["answered"], check["drawn"]) == (60, 60)
    assert run_frametally("live", "list", *where, cwd=tmp_path).out.startswith("Simulated camera  loop:")
    exported = run_frametally(
        "export", "--model", SIMULATED_MODEL, "--format", "csv", *where, cwd=tmp_path
    ).out
    names = {row["source_name"] for row in csv.DictReader(io.StringIO(exported.removeprefix("\ufeff")))}
    assert names == {"Simulated Old Bridge; Simulated Station Road"}

    again = run_frametally("demo", "--no-serve", "--data-dir", folder, cwd=tmp_path)
    assert again.code == 0, again.err
    assert shown(folder) == there

    removed = run_frametally("demo", "--remove-town", *where, cwd=tmp_path)
    assert removed.code == 0, removed.err
    with closing(open_count_index(f"sqlite:///{folder}/index.sqlite")) as index:
        assert [one.model == SIMULATED_MODEL for one in index.series()] == [False]
    assert (listed("accuracy", "checks"), listed("alerts", "rules")) == ([], [])
    assert run_frametally("live", "list", *where, cwd=tmp_path).out.startswith("no cameras yet")
    assert not [path for path in folder.rglob("*imulated*") if path.is_file()]
    status = run_frametally("status", *where, cwd=tmp_path)
    assert (status.code, "simulated" in status.out.lower()) == (0, False), status.out
