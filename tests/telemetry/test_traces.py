"""OTLP traces follow frames from the producer to the count, and change nothing that is stored."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.family.footage import SETTINGS, make_video
from tests.kit.errors import one_line
from tests.telemetry.receiver import Manner, Receiver, receiving

from frametally.errors import Misconfigured
from frametally.telemetry import sending
from frametally.telemetry.traces import TRACES
from frametally_cli import main as cli

FRAMES = 20


@pytest.fixture(autouse=True)
def off_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    yield
    TRACES.begin("")


def counted(folder: Path) -> dict[str, bytes]:
    """All stored objects of a clip that was produced, detected and counted in `folder`."""
    video = folder.parent / "gate.mp4"
    if not video.exists():  # once: an encoder may write the time into its file
        make_video(video, frames=FRAMES)
    folder.mkdir()
    there = ["--data-dir", str(folder / "data")]
    assert cli.main(["produce", str(video), "--start-time", "2026-03-01T10:00:00Z", *there]) == 0
    assert cli.main(["consume", "--until-caught-up", *there]) == 0
    assert cli.main(["aggregate", *there]) == 0
    store = folder / "data/store"
    images = {str(path.relative_to(store)): path.read_bytes() for path in store.glob("images/**/*.jpg")}
    # Their names contain the log's id; their bytes do not.
    return images | {"counts": b"".join(path.read_bytes() for path in sorted(store.rglob("part-*")))}


def segment_lines(folder: Path) -> list[bytes]:
    """The lines of all segments, whose names contain the log's id."""
    found = sorted((folder / "data/store/metadata").rglob("*.jsonl"))
    return sorted(line for path in found for line in path.read_bytes().splitlines()[1:])


def spans(receiver: Receiver) -> list[Any]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = []
    for path, headers, body in receiver.came:
        assert (path, headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            found += [span for scope in resource.scope_spans for span in scope.spans]
    return found


def test_a_frames_journey_is_one_trace_and_the_stored_bytes_stay_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = counted(tmp_path / "a")
    with receiving() as receiver:
        monkeypatch.setenv("FRAMETALLY_TRACES_URL", f"{receiver.url}/v1/traces")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1")
        assert counted(tmp_path / "b") == without
        told = spans(receiver)
    assert segment_lines(tmp_path / "b") == segment_lines(tmp_path / "a")
    traces: dict[bytes, dict[str, Any]] = defaultdict(dict)
    for span in told:
        assert span.name not in traces[span.trace_id]
        traces[span.trace_id][span.name] = span
    assert len(traces) == FRAMES
    frames = set()
    for of_frame in traces.values():
        assert set(of_frame) == {"frame", "put", "fetch", "detect", "write", "count"}
        root = of_frame["frame"]
        assert root.parent_span_id == b""
        assert {span.parent_span_id for name, span in of_frame.items() if name != "frame"} == {root.span_id}
        assert all(0 < span.start_time_unix_nano <= span.end_time_unix_nano for span in of_frame.values())
        order = [
            of_frame[name].end_time_unix_nano
            for name in ("put", "frame", "fetch", "detect", "write", "count")
        ]
        assert order == sorted(order)
        (key,) = {attribute.value.string_value for span in of_frame.values() for attribute in span.attributes}
        frames.add(key)
    assert frames == {name for name in without if name.startswith("images/")}


def test_only_a_share_of_frames_is_traced_and_each_trace_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("FRAMETALLY_TRACES_URL", f"{receiver.url}/v1/traces")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
        counted(tmp_path / "a")
        told = spans(receiver)
    traces = {span.trace_id for span in told}
    assert 0 < len(traces) < FRAMES  # whose keys, and thus selection, are always the same
    assert len(told) == 6 * len(traces)


def test_the_spans_of_a_stage_are_sent_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = make_video(tmp_path / "gate.mp4", frames=FRAMES)
    there = ["--data-dir", str(tmp_path / "data")]
    with receiving() as receiver:
        monkeypatch.setenv("FRAMETALLY_TRACES_URL", f"{receiver.url}/v1/traces")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1")
        assert cli.main(["produce", str(video), "--start-time", "2026-03-01T10:00:00Z", *there]) == 0
        assert len(spans(receiver)) == 2 * FRAMES
        assert cli.main(["consume", "--until-caught-up", *there]) == 0
        assert len(spans(receiver)) == 5 * FRAMES


@pytest.mark.thorough
def test_opentelemetry_is_not_loaded_by_default(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.telemetry.test_traces import counted; "
        f"counted(Path({str(tmp_path / 'a')!r})); "
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("manner", ["refuses", "redirects", "endless", "silent"])
def test_a_misbehaving_receiver_costs_no_frame_and_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, manner: Manner
) -> None:
    monkeypatch.setattr(sending, "_WITHIN_S", 0.3)
    without = counted(tmp_path / "a")
    with receiving(manner) as receiver, caplog.at_level(logging.WARNING):
        monkeypatch.setenv("FRAMETALLY_TRACES_URL", f"{receiver.url}/v1/traces")
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1")
        assert counted(tmp_path / "b") == without
        TRACES.flush(30.0)
        lines = [one.getMessage() for one in caplog.records if one.name == "frametally.telemetry.sending"]
    assert len(lines) == (0 if manner == "endless" else 1), lines


def test_a_missing_extra_gives_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with one_line(Misconfigured, match=r"frametally\[traces\]"):
        TRACES.begin("http://127.0.0.1:4318/v1/traces")


@pytest.mark.parametrize("share", ["some", "-0.1", "1.1", "nan"])
def test_an_invalid_share_gives_one_line(monkeypatch: pytest.MonkeyPatch, share: str) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    with pytest.raises(Misconfigured, match=f"OTEL_TRACES_SAMPLER_ARG={share}: the share of frames"):
        TRACES.begin("http://127.0.0.1:4318/v1/traces")
    assert not TRACES.is_on
