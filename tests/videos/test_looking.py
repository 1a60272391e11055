"""The look into a video's bytes: its facts and its refusals, even for hostile bytes."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.kit.clips import MakeFile
from tests.kit.processes import run_program

from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Misconfigured, Retryable
from frametally.settings.loading import Settings, load_settings
from frametally.work import worker_process
from frametally_videos.describing.video_facts import facts_of
from frametally_videos.library.video_looks import inspect
from frametally_videos.records import VideoFacts, VideoFields
from frametally_videos.upload_refusals import Refused
from frametally_videos.upload_routes.upload_place import refused_problem
from frametally_web.translations.texts import problem_text

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
try:
    from make_corpus import sound, wide_frames
finally:
    sys.path.pop(0)

KEY = "videos/00000000-0000-4000-8000-000000000000/original"


class Looks:
    """A store with one original, and looks into it."""

    def __init__(self, folder: Path) -> None:
        self.overrides: dict[str, Any] = {}
        self.folder = folder

    def settings(self) -> Settings:
        return load_settings("producer", data_dir=self.folder / "data", **self.overrides)

    def put(self, data: bytes) -> None:
        FileStore(self.settings().store_url).put(KEY, data)

    def at(self, data: bytes | Path, file_name: str = "clip.mp4", **fields: Any) -> VideoFacts:
        self.put(data.read_bytes() if isinstance(data, Path) else data)
        return inspect(self.settings(), KEY, VideoFields(**fields), file_name)

    def refusal(self, data: bytes | Path, file_name: str = "clip.mp4") -> tuple[int, str]:
        with pytest.raises(Refused) as caught:
            self.at(data, file_name)
        return caught.value.status, caught.value.reason


@pytest.fixture
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Looks:
    for name in list(os.environ):
        if name.startswith("FRAMETALLY_"):
            monkeypatch.delenv(name)
    return Looks(tmp_path)


@pytest.mark.thorough
def test_an_inspection_describes_the_video(looks: Looks, make_video: MakeFile) -> None:
    clip = make_video("a.mp4", 25, codec="libx264", size_px=(128, 96))
    assert looks.at(clip) == VideoFacts(
        container="mp4",
        content_type="video/mp4",
        codec="h264",
        width_px=128,
        height_px=96,
        fps=10.0,
        duration_s=2.5,
        frames=25,
        has_sound=False,
        plays_in_browsers=True,
    )


@pytest.mark.thorough
def test_an_avi_without_a_frame_rate_gets_a_note_with_the_assumed_rate(
    looks: Looks, make_video: MakeFile
) -> None:
    from tests.fakes.footage import without_rate  # this file also runs as a script

    clip = make_video("a.avi", 5, codec="mjpeg", pix_fmt="yuvj420p").read_bytes()
    assert looks.at(clip, "a.avi").damage == []
    [doubt] = looks.at(without_rate(clip), "a.avi").damage
    assert doubt.startswith("Its header has no frame rate, so frametally takes 25 frames per second; if that")


@pytest.mark.thorough
def test_the_film_behind_a_cover_picture_is_inspected_and_the_left_out_track_is_noted(
    looks: Looks, tmp_path: Path
) -> None:
    from tests.fakes.footage import make_file, moving
    from tests.fakes.remuxed import with_tracks

    cover = make_file(tmp_path / "cover.mp4", moving(1, (160, 90)), fps=5)
    film = make_file(tmp_path / "film.mp4", moving(40, (320, 180)), fps=5)
    told = looks.at(with_tracks(tmp_path / "both.mp4", cover, film))
    assert (told.track, told.width_px, told.height_px, told.frames, told.damage) == (2, 320, 180, 40, [])
    assert told.remarks == [
        "It has 2 video tracks; frametally counts track 2 (320x180); to count track 1 (160x90), run "
        "`frametally produce` with --track 1 --source NAME."
    ]
    assert told.why_not is not None
    assert "Browsers play its first video track" in told.why_not
    assert looks.at(film).remarks == []


@pytest.mark.thorough
def test_a_sideways_video_has_the_width_at_which_it_is_shown(looks: Looks, make_video: MakeFile) -> None:
    facts = looks.at(make_video("a.mp4", 3, size_px=(128, 96), rotation=90))
    assert (facts.width_px, facts.height_px) == (96, 128)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("kind", "codec", "pix_fmt", "container", "content_type", "why_not"),
    [
        ("mp4", "libx264", "yuv420p", "mp4", "video/mp4", None),
        ("mov", "libx264", "yuv420p", "mov", "video/quicktime", None),
        ("webm", "libvpx-vp9", "yuv420p", "webm", "video/webm", None),
        (
            "mp4",
            "libx264",
            "yuv444p",
            "mp4",
            "video/mp4",
            "Not every browser can play H.264 with yuv444p pixels",
        ),
        ("mp4", "libx265", "yuv420p", "mp4", "video/mp4", "Not every browser can play H.265 (HEVC)"),
        ("mp4", "mpeg4", "yuv420p", "mp4", "video/mp4", "Not every browser can play MPEG-4 part 2"),
        ("avi", "mjpeg", "yuvj420p", "avi", "video/x-msvideo", "Browsers cannot play AVI"),
        ("matroska", "libx264", "yuv420p", "matroska", "video/x-matroska", "Browsers cannot play Matroska"),
        ("mpegts", "mpeg2video", "yuv420p", "mpegts", "video/mp2t", "Browsers cannot play MPEG transport"),
    ],
)
def test_a_video_that_browsers_cannot_play_has_a_reason_and_a_remedy(
    looks: Looks,
    make_video: MakeFile,
    kind: str,
    codec: str,
    pix_fmt: str,
    container: str,
    content_type: str,
    why_not: str | None,
) -> None:
    # Its name says nothing: its first bytes determine the kind.
    facts = looks.at(make_video("a.bin", 3, codec=codec, format=kind, pix_fmt=pix_fmt, size_px=(128, 96)))
    assert (facts.container, facts.content_type) == (container, content_type)
    assert facts.plays_in_browsers == (why_not is None)
    if why_not is None:
        assert facts.why_not is None
    else:
        assert facts.why_not.startswith(why_not)
        assert facts.why_not.endswith("download it, or upload it as MP4 with H.264.")


@pytest.mark.thorough
def test_times_follow_the_producers_own_order_of_preference(looks: Looks, make_video: MakeFile) -> None:
    stamped = make_video("a.mp4", 20, metadata={"creation_time": "2026-05-01T08:00:00Z"})
    plain = make_video("b.mp4", 20)
    at_eight_ms = 1_777_622_400_000
    name, pattern = "gate_20260501_080000.mp4", "gate_%Y%m%d_%H%M%S"

    def found(clip: Path, file_name: str = "b.mp4", **fields: Any) -> tuple[int | None, str | None]:
        facts = looks.at(clip, file_name, **fields)
        return facts.started_at_ms, facts.time_source

    assert found(stamped, start_time="2026-05-01T09:00:00Z") == (at_eight_ms + 3_600_000, "start_time")
    assert found(stamped, start_time="2026-05-01T10:00", timezone="Europe/Berlin") == (
        at_eight_ms,
        "start_time",
    )
    assert found(stamped, name) == (at_eight_ms, "container")
    quicktime = {"com.apple.quicktime.creationdate": "2026-05-01T10:00:00+0200"}
    exported = make_video(
        "c.mov",
        20,
        options={"movflags": "use_metadata_tags"},
        metadata={"creation_time": "2026-06-03T10:00:00Z"} | quicktime,
    )
    assert found(exported) == (at_eight_ms, "container")
    remark = looks.at(exported).time_remark
    assert remark.startswith("It states two times: the QuickTime date says 2026-05-01T08:00:00.000Z, which")
    assert remark.endswith("the container says 2026-06-03T10:00:00.000Z, 33 days 2 h later.")
    assert found(plain, last_modified_ms=at_eight_ms) == (at_eight_ms - 2000, "file_time")
    looks.overrides = {"time_pattern": pattern}
    assert found(plain, name, last_modified_ms=5) == (at_eight_ms, "file_name")
    assert found(plain, name, timezone="Europe/Berlin") == (at_eight_ms - 7_200_000, "file_name")
    assert found(stamped, "gate_20260501_090000.mp4") == (at_eight_ms + 3_600_000, "file_name")
    remark = looks.at(stamped, "gate_20260501_090000.mp4").time_remark
    assert "1 h earlier; the difference is whole hours" in remark


@pytest.mark.thorough
def test_the_uploader_gets_a_remark_about_a_time_in_the_future(looks: Looks, make_video: MakeFile) -> None:
    clip = make_video("a.mkv", 20, metadata={"creation_time": "2096-05-01T08:00:00Z"})
    assert looks.at(clip).time_remark == (
        "It begins in the future, at 2096-05-01T08:00:00.000Z: check the date, and correct it on its page."
    )
    assert looks.at(clip, start_time="2026-05-01T08:00:00Z").time_remark == ""


@pytest.mark.thorough
def test_a_video_without_any_time_waits_for_one(looks: Looks, make_video: MakeFile) -> None:
    clip = make_video("b.mp4", 3)
    for fields in ({}, {"start_time": "0001-01-01T00:00:00Z"}):
        facts = looks.at(clip, "b.mp4", **fields)
        assert (facts.started_at_ms, facts.time_source) == (None, None)
    looks.overrides = {"file_time": False}
    assert looks.at(clip, last_modified_ms=1_777_622_400_000).started_at_ms is None


@pytest.mark.thorough
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\3\4" + bytes(500),
        b"%PDF-1.7\n",
        b"#EXTM3U\nfile:///etc/passwd\n",
        b"<?xml version='1.0'?><MPD/>",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html><script>alert(1)</script></html>",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500),
    ],
    ids=["empty", "zip", "pdf", "playlist", "manifest", "concat", "drawing", "page", "still picture"],
)
def test_a_file_whose_first_bytes_are_not_a_videos_is_an_unsupported_type(looks: Looks, data: bytes) -> None:
    status, reason = looks.refusal(data)
    assert status == 415
    assert reason.startswith(("It is ", "It does not begin like a video"))
    assert "\n" not in reason


@pytest.mark.parametrize("kind", ["jpeg", "png", "bmp", "tiff", "webp"])
def test_a_picture_is_refused_with_the_command_that_counts_pictures(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.mp4"
    Image.new("RGB", (40, 30)).save(path, format=kind)
    told = r"It is a picture, but uploads take videos\. `frametally run FOLDER` counts pictures\."
    with path.open("rb") as file, pytest.raises(Refused, match=told):
        facts_of(file, VideoFields(), path.name, load_settings(data_dir=tmp_path))


@pytest.mark.parametrize("kind", ["empty", "text", "still picture", "photo", "sound", "cut"])
def test_a_refused_file_has_one_reason_and_one_remedy_in_each_language(
    tmp_path: Path, make_video: MakeFile, kind: str
) -> None:
    path = make_video("clip.mp4", 3)
    if kind == "photo":
        Image.new("RGB", (40, 30)).save(path, format="png")
    else:
        whole = path.read_bytes()
        path.write_bytes(
            {
                "empty": b"",
                "text": b"What I wanted to film",
                "still picture": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500),
                "sound": sound("mp4"),
                "cut": whole[: len(whole) // 3],
            }[kind]
        )
    with path.open("rb") as file, pytest.raises(Refused) as refusal:
        facts_of(file, VideoFields(), path.name, load_settings(data_dir=tmp_path))
    problem = refused_problem(refusal.value)
    for text in (problem.detail, problem.remedy):
        assert ";" not in text
        assert text.endswith(".")
        assert problem_text(text, "de") != text


@pytest.mark.thorough
def test_a_file_without_pictures_cannot_be_used(looks: Looks, make_video: MakeFile) -> None:
    assert looks.refusal(sound("mp4")) == (422, "It has no moving pictures.")
    whole = make_video("a.mp4", 3).read_bytes()
    assert looks.refusal(whole[: whole.index(b"moov") - 4])[0] == 422
    data_at, index_at = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    status, reason = looks.refusal(whole[:data_at] + bytes(index_at - data_at) + whole[index_at:])
    assert (status, reason.partition(":")[0]) == (422, "It cannot be shown")


@pytest.mark.thorough
def test_a_video_larger_or_longer_than_allowed_is_refused(looks: Looks, make_video: MakeFile) -> None:
    clip = make_video("a.mp4", 40, size_px=(1600, 1200))
    assert looks.refusal(wide_frames(1000))[0] == 422
    looks.overrides = {"max_image_megapixels": 1}
    assert looks.refusal(clip)[1].startswith(
        "It has 1600x1200 pixels per frame, but at most 1 million are allowed"
    )
    pictures = make_video("a.avi", 2, codec="mjpeg", pix_fmt="yuvj420p", size_px=(2000, 2000))
    assert "more than the allowed 1 million pixels per frame" in looks.refusal(pictures)[1]
    looks.overrides = {"video_max_h": 0.001}
    assert looks.refusal(clip)[1].startswith("It lasts 0.0 h, but at most 0.001 are allowed")


@pytest.mark.thorough
def test_settings_of_this_process_also_apply_to_the_inspection(
    looks: Looks, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".env").write_text("FRAMETALLY_VIDEO_MAX_H=0.0001\n")
    looks.overrides = {"video_max_h": 24.0}
    monkeypatch.chdir(elsewhere)  # nor is anything imported from there
    (elsewhere / "av.py").write_text("raise SystemExit(9)")
    assert looks.at(make_video("a.mp4", 3)).frames == 3


@pytest.mark.thorough
def test_an_unavailable_store_is_not_blamed_on_the_video(
    looks: Looks, make_video: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks.put(make_video("a.mp4", 3).read_bytes())
    FileStore(looks.settings().store_url).delete(KEY)
    with pytest.raises(Retryable, match="no object"):
        inspect(looks.settings(), KEY, VideoFields(), "a.mp4")


@pytest.mark.parametrize(
    ("dies_by", "raised", "words"),
    [
        (signal.SIGSEGV, Refused, "SIGSEGV"),
        (signal.SIGXCPU, Refused, "takes more than"),
        (signal.SIGKILL, Retryable, "another program ended"),
    ],
)
def test_a_killed_inspection_is_reported_and_this_process_survives(
    looks: Looks,
    monkeypatch: pytest.MonkeyPatch,
    dies_by: signal.Signals,
    raised: type[Exception],
    words: str,
) -> None:
    looks.put(b"x")
    monkeypatch.setattr(
        worker_process,
        "bound",
        lambda arguments: [sys.executable, "-c", f"import os; os.kill(os.getpid(), {int(dies_by)})"],
    )
    with pytest.raises(raised, match=words):
        inspect(looks.settings(), KEY, VideoFields(), "a.mp4")


def test_a_machine_without_the_producer_gets_the_package_to_install(
    looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks.put(b"x")
    monkeypatch.setattr(
        worker_process, "bound", lambda arguments: [sys.executable, "-c", "import no_such_module_of_anybody"]
    )
    with pytest.raises(Misconfigured, match=r"no_such_module_of_anybody.*frametally\[producer\]"):
        inspect(looks.settings(), KEY, VideoFields(), "a.mp4")


def test_the_inspection_ends_with_the_process_that_requested_it(
    looks: Looks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No reader is left for the answer: a decoder that hangs must not live on."""
    from tests.kit.processes import is_running  # this module is also a script, where there is no such package
    from tests.kit.waiting import until

    looks.put(b"x")
    note = tmp_path / "pid"
    hangs = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid()) + chr(10)); time.sleep(600)"
    asks = (
        "import sys\nfrom frametally.settings.loading import load_settings\n"
        "from frametally.work import worker_process\n"
        "from frametally_videos.library import video_looks\n"
        "from frametally_videos.records import VideoFields\n"
        "whole = worker_process.bound\n"
        f"worker_process.bound = lambda arguments: whole([sys.executable, '-c', {hangs!r}])\n"
        "video_looks.inspect(load_settings(), 'a', VideoFields(), 'a')\n"
    )
    asker = subprocess.Popen([sys.executable, "-c", asks])
    until(lambda: note.exists() and note.read_text().endswith("\n"))
    pid = int(note.read_text())
    asker.kill()
    asker.wait()
    until(lambda: not is_running(pid), "it outlived the one that asked")


def box(kind: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


@pytest.mark.thorough
@pytest.mark.parametrize(
    "is_late", [False, True], ids=["at the beginning", "behind the pictures, deep within"]
)
def test_a_compressed_header_is_refused_before_it_is_unpacked(looks: Looks, is_late: bool) -> None:
    mebibytes = 64
    packed = zlib.compress(bytes(mebibytes << 20), 9)
    header = box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", struct.pack(">I", mebibytes << 20), packed))
    kind = box(b"ftyp", b"qt  ", bytes(4), b"qt  ")
    if is_late:
        data = kind + box(b"mdat", bytes(100_000)) + box(b"moov", box(b"udta", header))
    else:
        data = kind + box(b"moov", header)
    status, reason = looks.refusal(data)
    assert status == 422
    assert "compressed header (cmov)" in reason


sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
try:
    import make_corpus
finally:
    sys.path.pop(0)

MOST_MB = 300
"""For one look; Python, FFmpeg and the store's reader take 110 MB of it."""
# Each file is watched from outside, which takes minutes on busy cores. Its claimed length, rate or number is
# larger than the real one: `produce` detects that by reading all of it.
TOO_LONG = {"claims-times.mp4"}


def look_at_all(folder: Path) -> None:
    """Look into each video of the corpus."""
    from frametally.adapters_by_url import open_object_store
    from frametally.settings.loading import load_settings
    from frametally_videos.library.video_looks import inspect
    from frametally_videos.records import VideoFields
    from frametally_videos.upload_refusals import Refused

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
    from tests.faults.test_poison_corpus import Listener  # not installed where this runs as a script

    folder = tmp_path_factory.mktemp("looks")
    trace = folder / "trace"
    listener = Listener()
    # In another process: making them takes memory, which would count for processes started from here.
    made = run_program([sys.executable, make_corpus.__file__, str(folder / "corpus"), str(listener.port)])
    (folder / "outcomes").write_text(made.stdout)
    command = [sys.executable, __file__, str(folder)]
    strace = shutil.which("strace")
    if strace:
        watched = [strace, "-f", "--seccomp-bpf", "-qq", "-e", "trace=open,openat,openat2,connect"]
        if subprocess.run([*watched, "true"], capture_output=True, check=False).returncode == 0:
            command = [*watched, "-o", str(trace), *command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMETALLY_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    done = run_program(command, code=None, env=environment)
    listener.close()
    assert done.returncode == 0, done.stderr[-3000:]
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return results, trace, folder, listener.connections - 1


@pytest.mark.timeout(900)
@pytest.mark.thorough
def test_every_malicious_file_is_inspected_or_refused_in_one_sentence(looked: Any) -> None:
    results = looked[0]
    assert len(results) > 40
    for found in results:
        if found["expected"] == "skipped" or found["name"] in TOO_LONG:
            assert found["status"] in (415, 422), found
            assert re.fullmatch(r"[A-Z][^\n]*\.", found["reason"]), found
        else:
            assert found["status"] == 0, found
            assert min(found["size_px"]) > 0, found


@pytest.mark.timeout(900)
@pytest.mark.thorough
def test_a_file_that_is_not_a_video_and_an_unusable_video_get_different_errors(looked: Any) -> None:
    statuses = {found["name"]: found["status"] for found in looked[0]}
    for name in ("empty.mp4", "text.mp4", "concat.mp4", "playlist-file.mp4", "manifest.mp4"):
        assert statuses[name] == 415, name
    for name in ("sound-only.mp4", "no-index.mp4", "no-data.mp4", "is-16000.mp4"):
        assert statuses[name] == 422, name


@pytest.mark.timeout(900)
@pytest.mark.thorough
def test_no_inspection_uses_much_memory(looked: Any) -> None:
    assert max(found["most_mb"] for found in looked[0]) < MOST_MB


@pytest.mark.timeout(900)
@pytest.mark.thorough
def test_an_inspection_opens_no_file_that_a_video_refers_to_and_no_connection(looked: Any) -> None:
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
