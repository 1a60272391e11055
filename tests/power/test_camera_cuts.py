"""The power is cut while a camera records: its announced frames are counted, and the lost ones are named."""

from __future__ import annotations

import itertools
import random
import re
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.live.capturing import announcements_in, here
from tests.live.showing import Speaker
from tests.live.test_camera_opening import motion_jpeg
from tests.power.disk import MODES, Disk, changes_in
from tests.power.test_power_cuts import (
    Cut,
    Recording,
    bad_rows,
    left_by,
    place,
    problems_after,
    recorder,
    run_session,
)

from frametally.adapters_by_url import open_object_store
from frametally.media.manifests import list_manifests
from frametally.segments.contents import list_segments, read_segment

__all__ = ["place", "recorder"]  # fixtures

CUTS = 6
RECORD = ["live", "work"]
COUNT = [["consume", "--live", "--until-caught-up"], ["aggregate"], ["index"]]
_SPOOLED = re.compile(r"/live/door/[^/]+/\d+\.(\d+)\.[a-z]+\.jpg")


def filmed_in(recording: Recording) -> dict[int, int]:
    """Return the event times of all frames that waited on the disk, by their places in the log."""
    names = {change.at: _SPOOLED.search(change.second.decode()) for change in recording.changes}
    return {at: int(match[1]) for at, match in names.items() if match}


def problems_in(place: Path, recording: Recording, cut: Cut) -> list[str]:
    """Cut the power, let the camera record again, and return what is wrong; empty if nothing is."""
    uncut = recording.folder / f"uncut-{cut.at}-{cut.seed}"
    Disk(recording.root, recording.changes, cut.at).write_to(recording.root, uncut, mode=None, seed=0)
    announced = {frame.image_path for frame in announcements_in(here(uncut))}
    root = left_by(recording, cut)
    calls = [RECORD, *COUNT, ["status"], ["doctor", "--deep", "--json"]]
    *_, status, doctor = run_session(place, root, calls)
    with closing(open_object_store(here(root).store_url)) as store:
        frames = [frame for key in list_segments(store) for frame in read_segment(store, key).frames()]
        lives = [minute.live for minute in list_manifests(store) if minute.live is not None]
    spans = [(loss.from_ms, loss.to_ms) for live in lives for loss in live.losses]
    spans += [(outage.from_ms, outage.to_ms or sys.maxsize) for live in lives for outage in live.outages]
    filmed_ms = {at_ms for at, at_ms in filmed_in(recording).items() if at < cut.at}
    silent = {
        at_ms
        for at_ms in filmed_ms - {frame.captured_at_ms for frame in frames}
        if not any(from_ms <= at_ms <= to_ms for from_ms, to_ms in spans)
    }
    found = {
        "lost announced frames": announced - {frame.image_path for frame in frames},
        "lost without a word": silent,
        "status": status["out"] if status["code"] else "",
        "doctor": bad_rows(doctor),
    }
    return [f"{cut}: {what}: {value}" for what, value in found.items() if value]


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_after_a_power_cut_a_cameras_frames_are_counted_or_their_time_is_named(
    recorder: Path, place: Path, tmp_path: Path
) -> None:
    root, log = tmp_path / "root", tmp_path / "log"
    root.mkdir()
    log.touch()
    with Speaker(motion_jpeg(itertools.repeat((64, 48)), pause_s=0.1)) as camera:
        calls = [["live", "add", f"http://127.0.0.1:{camera.port}/", "--source", "Door"], RECORD]
        recorded = {"LD_PRELOAD": str(recorder), "POWER_ROOT": str(root), "POWER_LOG": str(log)}
        added, ended = run_session(place, root, calls, **recorded)
        assert (added["code"], ended["code"]) == (0, 0), ended
        recording = Recording(recorder, tmp_path, list(changes_in(log)), [])
        rng = random.Random(3)  # noqa: S311
        ats = [change.at for change in recording.changes if change.at > min(filmed_in(recording))]
        cuts = [Cut(rng.choice(ats), MODES[seed % len(MODES)], 0, seed) for seed in range(CUTS)]
        assert problems_after(partial(problems_in, place, recording, cut) for cut in cuts) == []
