"""Poison videos that are uploaded: each is looked into or refused, in little memory, and reads nothing else.

Run as a script, this is what looks into the corpus: `python test_poison_looks.py FOLDER`, a line of JSON
for each file.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
try:
    import make_corpus
finally:
    sys.path.pop(0)

KEY = "videos/00000000-0000-4000-8000-000000000000/original"
MOST_MB = 300
"""Of one look, 110 MB of which are Python, FFmpeg and what reads the store."""
# Each file is watched from outside, which takes minutes where others take the CPU.
pytestmark = [pytest.mark.timeout(900), pytest.mark.thorough]
# Of length, rate or number, more is claimed than there is: `produce` finds out by reading all of it.
TOO_LONG = {"claims-times.mp4"}


def look_at_all(folder: Path) -> None:
    """Look into each video of the corpus."""
    from frametally.opening import open_object_store
    from frametally.settings.loading import load_settings
    from frametally_videos.records import VideoFields
    from frametally_videos.upload_refusals import Refused
    from frametally_videos.uploads.inspection import inspect

    settings = load_settings("producer", data_dir=folder / "data")
    corpus = [line.split(" ", 1) for line in (folder / "outcomes").read_text().splitlines()]
    (folder / "begun").touch()
    with closing(open_object_store(settings.store_url)) as store:
        for outcome, name in corpus:
            path = Path(name)
            if path.parent.name != "videos" or not path.is_file() or path.is_symlink():
                continue
            store.put(KEY, path.read_bytes())
            result: dict[str, object] = {"name": path.name, "expected": outcome, "status": 0}
            try:
                facts = inspect(settings, KEY, VideoFields(), path.name)
                result |= {"size_px": [facts.width_px, facts.height_px], "reason": ""}
            except Refused as refusal:
                result |= {"status": refusal.status, "reason": refusal.reason}
            result["most_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(json.dumps(result), flush=True)


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("memory is measured by /proc, and there is none")
    from tests.faults.test_poison_corpus import Listener  # not there where this runs as a script

    folder = tmp_path_factory.mktemp("looks")
    trace = folder / "trace"
    listener = Listener()
    # By another process: what it takes to make them would count as the memory of what starts from there.
    made = subprocess.run(
        [sys.executable, make_corpus.__file__, str(folder / "corpus"), str(listener.port)],
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "outcomes").write_text(made.stdout)
    command = [sys.executable, __file__, str(folder)]
    strace = shutil.which("strace")
    if strace:
        watched = [strace, "-f", "--seccomp-bpf", "-qq", "-e", "trace=open,openat,openat2,connect"]
        if subprocess.run([*watched, "true"], capture_output=True, check=False).returncode == 0:
            command = [*watched, "-o", str(trace), *command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMETALLY_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    listener.close()
    assert done.returncode == 0, done.stderr[-3000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return results, trace, folder, listener.connections - 1


def test_every_poison_is_looked_into_or_refused_in_one_sentence(looked: Any) -> None:
    results = looked[0]
    assert len(results) > 40
    for found in results:
        if found["expected"] == "skipped" or found["name"] in TOO_LONG:
            assert found["status"] in (415, 422), found
            assert re.fullmatch(r"[A-Z][^\n]*\.", found["reason"]), found
        else:
            assert found["status"] == 0, found
            assert min(found["size_px"]) > 0, found


def test_what_is_no_video_is_told_from_a_video_that_is_of_no_use(looked: Any) -> None:
    statuses = {found["name"]: found["status"] for found in looked[0]}
    for name in ("empty.mp4", "text.mp4", "concat.mp4", "playlist-file.mp4", "manifest.mp4"):
        assert statuses[name] == 415, name
    for name in ("sound-only.mp4", "no-index.mp4", "no-data.mp4", "is-16000.mp4"):
        assert statuses[name] == 422, name


def test_no_look_takes_much_memory(looked: Any) -> None:
    assert max(found["most_mb"] for found in looked[0]) < MOST_MB


def test_a_look_opens_no_file_that_a_video_refers_to_and_no_connection(looked: Any) -> None:
    _, trace, folder, connections = looked
    assert connections == 0
    if not trace.exists():
        pytest.skip("strace is not here; what poison refers to was watched by its outcome alone")
    calls = trace.read_text(errors="replace").splitlines()
    begun = next(at for at, call in enumerate(calls) if f'"{folder}/begun"' in call)
    calls = calls[begun + 1 :]
    assert [call for call in calls if "connect(" in call and "AF_INET" in call] == []
    opened = [call for call in calls if re.search(r"open(at2?)?\(", call) and "= -1" not in call]
    paths = {found[1] for call in opened if (found := re.search(r'"((?:[^"\\]|\\.)*)"', call))}
    assert any(path.endswith(KEY) for path in paths)
    corpus = str(folder / "corpus")
    own = {path for path in paths if path.startswith(corpus)}
    assert all(path.startswith(f"{corpus}/videos/") for path in own), own  # which this process put there
    assert not {path for path in paths if path.startswith(("/etc/passwd", "/dev/zero", "/dev/tty"))}


if __name__ == "__main__":
    look_at_all(Path(sys.argv[1]))
