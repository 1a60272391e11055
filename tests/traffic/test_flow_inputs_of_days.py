"""Counting at lines and zones: any engine, any split, pictures of any size, gaps, deleted footage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_manifest
from tests.hadoop.conftest import Footage
from tests.hadoop.test_track_hours import DAY_MS, HOUR_MS, MIDNIGHT_MS, NOON_MS
from tests.kit.clips import grey_jpeg
from tests.traffic.test_flow_runs import BAY, LATER, STOP, draw, flow_runs, flows, passing, totals

from frametally import keys
from frametally.books.runs import current_runs, read_run, read_source_files
from frametally.books.superseded import remove_superseded
from frametally.errors import Misconfigured
from frametally.records import encode
from frametally.undo_records import Tombstone
from frametally_hadoop.running import engine
from frametally_hadoop.running.bundle import write_bundle
from frametally_traffic.counting import flow_aggregation
from frametally_traffic.tasks.flow_tasks import count_entry


def test_a_source_where_nobody_came_has_zeros_and_no_gap(footage: Footage) -> None:
    frames = [footage.frame(NOON_MS + n * 200, index=n) for n in range(70)]
    footage.segment(frames)
    medium = make_manifest(70, source="gate", span_ms=(NOON_MS, frames[-1].captured_at_ms))
    footage.store.put(medium.key, encode(medium))
    draw(footage, STOP)
    footage.aggregate()
    [run] = flow_runs(footage)
    counts, coverage = read_run(footage.store, run)
    assert counts == []
    assert {(one.frames, one.detections, one.objects) for one in coverage} == {(70, 0, 0)}


def test_where_frames_are_too_rare_to_follow_objects_crossings_are_unknown_and_not_zero(
    footage: Footage,
) -> None:
    footage.segment(passing(footage, step_ms=1000))
    draw(footage, STOP)
    medium = make_manifest(14, source="gate", span_ms=(NOON_MS, NOON_MS + 13_000))
    footage.store.put(medium.key, encode(medium))
    footage.aggregate()
    [run] = flow_runs(footage)
    counts, coverage = read_run(footage.store, run)
    assert counts == []
    assert {(one.frames, one.objects, one.analysed_fps) for one in coverage} == {(14, None, 1.0)}


def test_a_line_stays_in_its_place_on_reduced_pictures(footage: Footage) -> None:
    footage.segment(passing(footage))
    image = keys.image_key("gate", NOON_MS, "ab" * 32, 0)
    footage.store.put(image, grey_jpeg(640, 480, 0))
    medium = make_manifest(70, source="gate", span_ms=(NOON_MS, NOON_MS + 13_800))
    footage.store.put(medium.key, encode(medium))
    of_original = {"points": ((900.0, 0.0), (900.0, 1440.0)), "width_px": 1920, "height_px": 1440}
    draw(footage, msgspec.structs.replace(STOP, **of_original))
    footage.aggregate()
    assert totals(footage) == {"gate/line/stop%20line/to_left": 1}
    [run] = flow_runs(footage)
    crossed_ms = flows(footage, run)[0].columns["crossing_time"][0]
    assert crossed_ms == NOON_MS % DAY_MS + round((300 - 130) / 5) * 200


@pytest.mark.thorough
def test_the_local_runner_publishes_the_same_bytes_as_the_inline_runner(file_footage: Footage) -> None:
    footage = file_footage
    footage.segment([*passing(footage), *passing(footage, MIDNIGHT_MS - 8_000, source="yard")])
    for source in ("gate", "yard"):
        draw(footage, msgspec.structs.replace(STOP, name='größer "a" | b'), BAY, source=source)
    footage.aggregate()
    expected = {key: data for key, data in footage.objects("").items() if "~flows" in key}
    assert len([key for key in expected if "/flows-" in key]) == 3
    for key in expected:
        footage.store.delete(key)
    footage.aggregate(runner="local")
    assert {key: data for key, data in footage.objects("").items() if "~flows" in key} == expected


def test_segments_split_anywhere_and_in_any_order_give_the_same_flows(footage: Footage) -> None:
    found = []
    for cuts in ((0, 70), (0, 1, 70), (0, 33, 34, 70), (0, 68, 70)):
        footage.store = MemoryStore()
        frames = passing(footage, NOON_MS + HOUR_MS - 8_000)
        footage.segments([frames[a:b] for a, b in reversed([*pairwise(cuts)])])
        footage.segment(frames[20:40])
        draw(footage, msgspec.structs.replace(STOP, inward="to_right"), BAY)
        footage.aggregate()
        [run] = flow_runs(footage)
        parts = [footage.store.get(f"{run.prefix}/{part}") for part in run.parts]
        found.append((parts, [data for _, data in read_source_files(footage.store, run)]))
    assert found[1:] == found[:1] * 3


def test_forgotten_footage_no_longer_counts_as_a_crossing(footage: Footage) -> None:
    footage.segment(passing(footage))
    draw(footage, STOP)
    footage.aggregate()
    stone = Tombstone(media="ab" * 32, source="gate", name="gate.mp4", from_ms=NOON_MS + 4_000, why="forget")
    footage.store.put(stone.key, encode(stone))
    footage.aggregate()
    assert totals(footage) == {}


def test_superseded_runs_are_removed_with_their_flows(footage: Footage) -> None:
    clock = [1_700_000_000.0]
    footage.store = MemoryStore(clock=lambda: clock[0])
    footage.segment(passing(footage))
    for line in (STOP, LATER, STOP):
        draw(footage, line)
        footage.aggregate()
        clock[0] += 2 * 3600
    footage.store.put("media/later", b"")  # the store's clock equals that of its newest object
    draw(footage, LATER)
    footage.aggregate()
    before = {key for key in footage.objects("") if "~flows" in key}
    remove_superseded(footage.store, current_runs(footage.store))
    gone = before - footage.objects("").keys()
    assert {key.partition("/run=")[2][:6] for key in gone if "/run=" in key} == {"000001", "000002"}
    assert any("/flows-" in key for key in gone)
    assert totals(footage) == {"gate/line/later/to_right": 1}


@pytest.mark.thorough
def test_a_node_counts_the_same_from_only_the_bundle_and_numpy(
    file_footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Sequence[str], list[bytes]]] = []

    def noted(*, manifest: Sequence[str], **options: Any) -> Iterator[bytes]:
        seen.append((manifest, sorted(engine.run_job(manifest=manifest, **options))))
        return iter(seen[0][1])

    monkeypatch.setattr(flow_aggregation, "run_job", noted)
    file_footage.segment([*passing(file_footage), *passing(file_footage, MIDNIGHT_MS - 8_000, source="yard")])
    for source in ("gate", "yard"):
        draw(file_footage, msgspec.structs.replace(STOP, inward="to_right"), BAY, source=source)
    file_footage.aggregate()
    (tmp_path / "node").mkdir()
    numpy = Path(np.__file__).parent
    for package in (numpy, *numpy.parent.glob("numpy.libs")):
        (tmp_path / "node" / package.name).symlink_to(package)
    folders = [str(write_bundle(tmp_path / "job.zip")), str(tmp_path / "node")]
    script = (
        f"import sys; sys.path[:0] = {folders!r}\n"
        "from frametally_traffic.tasks.flow_tasks import count_entry\n"
        "for line in sys.stdin:\n"
        "    for pair in count_entry(line):\n"
        "        sys.stdout.buffer.write(b'\\t'.join(pair) + b'\\n')\n"
    )
    [(manifest, lines)] = seen
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script],
        input="".join(f"{line}\n" for line in manifest).encode(),
        capture_output=True,
        check=True,
    )
    assert len(lines) == 3
    assert sorted(done.stdout.splitlines(keepends=True)) == lines


def test_a_node_without_numpy_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "frametally_traffic.flows.day_flows", None)
    with pytest.raises(Misconfigured, match="install numpy for it on every node"):
        next(count_entry('{"model": "m", "source": "gate", "day_start_ms": 0, "paths": [], "shapes": ""}'))


@pytest.mark.parametrize("of_source", ["gate", "yard"])
def test_a_damaged_manifest_moves_no_line(footage: Footage, of_source: str) -> None:
    """Manifests identify the pictures of a source, and these its picture sizes."""
    footage.segment(passing(footage))
    image = keys.image_key("gate", NOON_MS, "ab" * 32, 0)
    footage.store.put(image, grey_jpeg(640, 480, 0))
    for source, sha256 in (("gate", "ab" * 32), ("yard", "cd" * 32)):
        medium = make_manifest(70, media=sha256, source=source, span_ms=(NOON_MS, NOON_MS + 13_800))
        footage.store.put(medium.key, encode(medium))
    wide = {"width_px": 1920, "height_px": 1440}
    draw(footage, msgspec.structs.replace(STOP, points=((900.0, 0.0), (900.0, 1440.0)), **wide))
    footage.aggregate()
    before = flow_runs(footage)
    assert len(before) == 1
    key = keys.media_key({"gate": "ab" * 32, "yard": "cd" * 32}[of_source])
    footage.store.put(key, footage.store.get(key)[:-3] + b'0"}')
    report = footage.aggregate()
    assert [item.name for item in report.skipped] == [key]
    assert report.steps[0].runs == []
    assert flow_runs(footage) == before
