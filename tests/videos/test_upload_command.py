"""`frametally upload`: to a real dashboard, and without one; the same command resumes after any
interruption."""

from __future__ import annotations

import hashlib
import io
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
from tests.examples import first_quick
from tests.fakes.records import make_manifest
from tests.kit.clips import write_clip
from tests.kit.http_server import Answers, answering
from tests.kit.ports import free_port
from tests.kit.waiting import until
from tests.videos.video_records import make_facts
from tests.web.conftest import Place, Serving

from frametally import keys
from frametally.adapters.files.growing import GrowingFile
from frametally.adapters_by_url import open_object_store
from frametally.records import decode_at, encode
from frametally_cli import main as cli
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.commands import tus_client
from frametally_videos.commands.tus_client import Dashboard
from frametally_videos.commands.upload_clip import ClipReader
from frametally_videos.records import VideoRecord

BALLAST_BYTES = 120_000_000


def make_video(path: Path, *, seed: int = 0, ballast_bytes: int = 0) -> Path:
    """A second of moving pictures; `ballast_bytes` of it are a box that players skip."""
    shades = (np.full((48, 64, 3), (seed * 31 + n * 20) % 256, np.uint8) for n in range(10))
    write_clip(path, shades, fps=10, codec="mpeg4")
    with path.open("ab") as file:
        if ballast_bytes:
            file.write(ballast_bytes.to_bytes(4, "big") + b"free")
            file.write(random.Random(seed).randbytes(ballast_bytes - 8))  # noqa: S311 - no secret
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder and settings of a client of a dashboard."""
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path / "here"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    return tmp_path / "here"


@contextmanager
def dashboard(data: Path, port: int, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A real dashboard over this data."""
    with subprocess.Popen(
        [sys.executable, "-m", "frametally", "serve", "--alone", "--port", str(port)],
        env=os.environ | settings | {"FRAMETALLY_DATA_DIR": str(data)},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            assert any("Dashboard at" in line for line in server.stdout)
            yield server
        finally:
            server.kill()


def uploading(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "frametally", "upload", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bytes_there(data: Path) -> int:
    """The number of bytes of unfinished uploads."""
    return sum(part.stat().st_size for part in (data / "store" / "uploads").glob("*.part"))


def stored(data: Path) -> list[VideoRecord]:
    with closing(open_object_store((data / "store").as_uri())) as store:
        found = [info.key for info in store.list(keys.VIDEOS) if keys.parse_video_key(info.key)]
        return [decode_at(key, store.get(key), VideoRecord) for key in found]


def is_stored_whole(data: Path, path: Path) -> bool:
    """Whether there is exactly one video, with exactly the bytes of the file, and nothing else."""
    [video] = stored(data)
    original = data / "store" / keys.original_key(video.id)
    with original.open("rb") as made, path.open("rb") as file:
        same = hashlib.file_digest(made, "sha256").digest() == hashlib.file_digest(file, "sha256").digest()
    assert bytes_there(data) == 0
    assert not [*(data / "store" / "uploads").glob("*")]
    return same


@pytest.mark.thorough
def test_a_file_becomes_a_video_of_the_dashboard_with_the_given_fields(
    tmp_path: Path, data: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_video(tmp_path / "Tor_ä.mp4")
    roi = tmp_path / "roi.json"
    roi.write_text('{"x": 1, "y": 2, "width": 30, "height": 20}', encoding="utf-8")
    port = free_port()
    with dashboard(data, port):
        url = f"http://127.0.0.1:{port}"
        said = ["--name", "Gate at noon", "--source", "Gate 1", "--start-time", "2026-05-01T12:00:00"]
        said += ["--timezone", "Europe/Berlin", "--roi", str(roi)]
        assert cli.main(["upload", str(clip), "--url", url, *said]) == 0
        told = capsys.readouterr().out
        [video] = stored(data)
        assert told == f"Tor_ä.mp4: video {video.id}. The region is the zone ROI of the source.\n"
        assert (video.name, video.file_name, video.source_name) == ("Gate at noon", "Tor_ä.mp4", "Gate 1")
        assert video.facts.started_at_ms == 1777629600000
        assert video.fields.roi == {"x": 1, "y": 2, "width": 30, "height": 20}
        assert video.fields.last_modified_ms == clip.stat().st_mtime_ns // 1_000_000
        assert cli.main(["upload", str(clip), "--url", f"{url}/"]) == 0
        assert capsys.readouterr().out == f"Tor_ä.mp4: video {video.id}, which has already been uploaded\n"
    assert is_stored_whole(data, clip)
    assert not [*here.rglob("*")][1:]


@pytest.mark.thorough
def test_without_a_dashboard_a_file_is_stored_locally_and_waits_for_its_frames(
    tmp_path: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_video(tmp_path / "cam_20260501_080000.mp4")
    assert cli.main(["upload", str(clip), "--source", "Gate 1", "--timezone", "UTC"]) == 0
    [video] = stored(here)
    guess = "its time is a guess from the file's date: correct it on its page"
    assert capsys.readouterr().out == f"{clip.name}: video {video.id}; {guess}\n"
    assert is_stored_whole(here, clip)
    with closing(open_video_catalogue(f"sqlite:///{here}/catalogue.sqlite")) as catalogue:
        assert catalogue.video(video.id).record.source == "gate-1"
        # Browsers cannot play it unchanged.
        kinds = {"frames", "previews", "metadata", "checks", "playable"}
        assert {job.kind for job in catalogue.jobs(video.id)} == kinds
    assert cli.main(["upload", str(clip), str(make_video(tmp_path / "b.mp4", seed=1))]) == 0
    assert "which has already been uploaded" in capsys.readouterr().out
    assert len(stored(here)) == 2


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["dashboard", pytest.param("own store", marks=pytest.mark.thorough)])
def test_a_confirmed_upload_sends_no_bytes_again(
    tmp_path: Path, here: Path, serving: Serving, place: Place, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_video(tmp_path / "a.mp4", ballast_bytes=1_000_000)
    manifest = make_manifest(60, media=hashlib.sha256(clip.read_bytes()).hexdigest(), source="traffic")
    if way == "dashboard":
        place.look = lambda *_: make_facts(started_at_ms=None, time_source=None)
        store, to = place.store, ["--url", serving(place.app())]
    else:
        store, to = open_object_store((here / "store").as_uri()), []
    store.put(manifest.key, encode(manifest))
    call = ["upload", str(clip), "--source", "Gate", *to]
    for _ in range(2):  # a repeated request gets the same answer
        assert cli.main(call) == 2
        assert re.search("60 frames of Traffic.*--move-counts", capsys.readouterr().err)
    [original] = [info for info in store.list(keys.VIDEOS) if keys.parse_original_key(info.key)]
    assert cli.main([*call, "--move-counts"]) == 0
    assert "60 frames of Traffic" in capsys.readouterr().out
    [kept] = [info for info in store.list(keys.VIDEOS) if keys.parse_original_key(info.key)]
    assert (kept.key, kept.modified_at_ms) == (original.key, original.modified_at_ms)
    assert not [*(here / "uploads-from-here").iterdir()]


@pytest.mark.thorough
def test_the_upload_waits_for_a_killed_dashboard_and_resumes(tmp_path: Path, data: Path, here: Path) -> None:
    clip = make_video(tmp_path / "long.mp4", ballast_bytes=BALLAST_BYTES)
    port = free_port()
    with uploading_to(dashboard(data, port), clip, port) as (command, server):
        until(lambda: bytes_there(data) > 30_000_000)
        server.kill()
        server.wait()
        assert 30_000_000 < bytes_there(data) < clip.stat().st_size
        assert len([*(data / "store" / "uploads").glob("*.json")]) == 1
        with dashboard(data, port):
            told, complaints = command.communicate(timeout=120)
    assert command.returncode == 0, complaints
    assert re.fullmatch(r"long\.mp4: video [0-9a-f-]{36}; its time is a guess .*\n", told)
    assert f"http://127.0.0.1:{port} is not responding" in complaints
    assert is_stored_whole(data, clip)


@contextmanager
def uploading_to(
    running: object, clip: Path, port: int
) -> Iterator[tuple[subprocess.Popen[str], subprocess.Popen[str]]]:
    with (
        running as server,  # type: ignore[attr-defined]
        uploading(clip, "--url", f"http://127.0.0.1:{port}") as command,
    ):
        try:
            yield command, server
        finally:
            command.kill()


@pytest.mark.thorough
def test_a_killed_command_resumes_the_same_upload_when_you_run_it_again(
    tmp_path: Path, data: Path, here: Path
) -> None:
    clip = make_video(tmp_path / "long.mp4", ballast_bytes=BALLAST_BYTES)
    port = free_port()
    with dashboard(data, port):
        for enough_bytes in (20_000_000, 60_000_000):
            with uploading(clip, "--url", f"http://127.0.0.1:{port}") as command:
                until(lambda enough=enough_bytes: bytes_there(data) > enough)  # type: ignore[misc]
                command.kill()
            [under_way] = (data / "store" / "uploads").glob("*.json")
            [note] = (here / "uploads-from-here").iterdir()
            assert note.read_text(encoding="utf-8").endswith(under_way.stem)
            assert note.stat().st_mode & 0o777 == 0o600
        assert cli.main(["upload", str(clip), "--url", f"http://127.0.0.1:{port}"]) == 0
    assert is_stored_whole(data, clip)
    assert not [*(here / "uploads-from-here").iterdir()]


@pytest.mark.parametrize("number", first_quick([signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
def test_an_interrupted_upload_without_a_dashboard_resumes_where_it_was(
    tmp_path: Path, here: Path, number: signal.Signals
) -> None:
    code = -signal.SIGKILL if number == signal.SIGKILL else 130
    clip = make_video(tmp_path / "long.mp4", ballast_bytes=BALLAST_BYTES)
    with uploading(clip) as command:
        until(lambda: bytes_there(here) > 20_000_000)
        command.send_signal(number)
        _, complaints = command.communicate(timeout=60)
    assert command.returncode == code
    if code == 130:
        assert "run the same command to continue" in complaints
    assert 20_000_000 < bytes_there(here) < clip.stat().st_size
    [under_way] = (here / "store" / "uploads").glob("*.json")
    assert stored(here) == [] if (here / "store" / "videos").exists() else True
    assert cli.main(["upload", str(clip)]) == 0
    assert under_way.exists() is False
    assert is_stored_whole(here, clip)


@pytest.mark.thorough
def test_a_file_that_is_not_a_video_gives_one_line_and_the_others_are_uploaded(
    tmp_path: Path, data: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = make_video(tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"PK\x03\x04 no video at all" * 1000)
    (tmp_path / "empty.mp4").touch()
    paths = [str(tmp_path / name) for name in ("bad.mp4", "empty.mp4", "nothing.mp4", "good.mp4")]
    port = free_port()
    with dashboard(data, port):
        for to in ([], ["--url", f"http://127.0.0.1:{port}"]):
            assert cli.main(["upload", *paths, str(tmp_path), *to]) == 6
            said = capsys.readouterr()
            assert len(said.out.splitlines()) == 1
            complaints = [line for line in said.err.splitlines() if line]
            assert [
                re.split("[:,]", line.replace(f"{tmp_path}", ""))[1].split()[0] for line in complaints
            ] == [*("bad.mp4", "empty.mp4", "/nothing.mp4", "is")]
            assert "does not begin like a video" in complaints[0]
            assert cli.main(["upload", paths[0], *to]) == 2
            assert "does not begin like a video" in capsys.readouterr().err
    for folder in (data, here):
        assert is_stored_whole(folder, good)
        assert not [*(here / "uploads-from-here").glob("*")]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["a.mp4", "b.mp4", "--name", "x"], "--name and --start-time are for one video"),
        (["a.mp4", "--start-time", "noon"], "--start-time: 'noon' is not an ISO 8601 time"),
        (["a.mp4", "--roi", "{not json"], "--roi: "),
        (
            ["a.mp4", "--roi", "nowhere.json"],
            "--roi nowhere.json is neither JSON nor a file that can be read",
        ),
        (["a.mp4", "--calibration", '{"points": [[1]]}'], "--calibration: "),
        (["a.mp4", "--url", "ftp://host"], "--url is not the address of a dashboard"),
        (["a.mp4", "--url", "http://host:x"], "--url is not the address of a dashboard"),
        ([], "Missing argument"),
    ],
)
def test_an_invalid_argument_gives_one_line_before_anything_is_sent(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert cli.main(["upload", *arguments]) == 2
    assert line in capsys.readouterr().err
    assert not here.exists() or not [*(here / "store").rglob("*.json")]


@pytest.mark.thorough
def test_where_uploads_are_off_the_command_shows_the_remedy(
    tmp_path: Path, data: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with dashboard(data, port, FRAMETALLY_WEB_UPLOADS="false"):
        clip = make_video(tmp_path / "a.mp4")
        assert cli.main(["upload", str(clip), "--url", f"http://127.0.0.1:{port}"]) == 2
    assert re.search(r"Uploads are off here.*allow uploads", capsys.readouterr().err)
    assert not [*data.rglob("*.json")]


class OtherServer(Answers):
    """Some other server."""

    status = 200
    sent: tuple[tuple[str, str], ...] = ()

    def do_OPTIONS(self) -> None:  # noqa: N802 - as the library has it
        self.answer(self.status, b"", **dict(self.sent))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("status", "sent", "line"),
    [
        (200, (), "check that it is the address of a dashboard of this version"),
        (404, (), "check that it is the address of a dashboard of this version"),
        (
            401,
            (("WWW-Authenticate", "Basic"),),
            "requires a password, or a token in its place: write it into",
        ),
        (
            308,
            (("Location", "https://app.example.org/"),),
            "has moved to https://app.example.org/: give that address as --url",
        ),
    ],
)
def test_a_server_without_uploads_and_one_that_does_not_respond_give_different_errors(
    tmp_path: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    status: int,
    sent: tuple[tuple[str, str], ...],
    line: str,
) -> None:
    handler = type("Handler", (OtherServer,), {"status": status, "sent": sent})
    clip = make_video(tmp_path / "a.mp4")
    with answering(handler) as url:
        assert cli.main(["upload", str(clip), "--url", url.replace("//", "//me:secret@")]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert "secret" not in said
    assert cli.main(["upload", str(clip), "--url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert "check that the dashboard is running there" in capsys.readouterr().err


def test_the_login_comes_from_the_address_or_netrc(here: Path, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password from-netrc\n", encoding="utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    heard: list[str] = []

    class Handler(OtherServer):
        def do_OPTIONS(self) -> None:  # noqa: N802 - as the library has it
            heard.append(self.headers["Authorization"])
            super().do_OPTIONS()

    with answering(Handler) as url:
        for login in ("", "you:p%40ss@"):
            with closing(Dashboard(url.replace("//", f"//{login}"))) as asked:
                asked.ask("OPTIONS", "/")
    assert heard == ["Basic bWU6ZnJvbS1uZXRyYw==", "Basic eW91OnBAc3M="]


@pytest.mark.parametrize("through", first_quick(["no dashboard", "a dashboard"]))
def test_a_file_that_grows_during_its_upload_does_not_become_a_video(
    tmp_path: Path,
    here: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    through: str,
) -> None:
    clip = make_video(tmp_path / "growing.mp4", ballast_bytes=5_000_000)
    monkeypatch.setattr(tus_client, "PIECE_BYTES", 1_000_000)
    sending = ClipReader if through == "a dashboard" else GrowingFile
    act = "read" if through == "a dashboard" else "append"
    before = getattr(sending, act)

    def grow(self: object, *arguments: object, **options: object) -> object:
        with clip.open("ab") as file:
            file.write(b"more")
        return before(self, *arguments, **options)

    monkeypatch.setattr(sending, act, grow)
    port = free_port()
    with dashboard(data, port) if through == "a dashboard" else nullcontext():
        to = ["--url", f"http://127.0.0.1:{port}"] if through == "a dashboard" else []
        assert cli.main(["upload", str(clip), *to]) == 2
    assert "changed while it was being uploaded: upload it when it is complete" in capsys.readouterr().err
    for folder in (data, here):
        assert not [path for path in (folder / "store").rglob("*") if path.is_file()]


@pytest.mark.thorough
def test_different_fields_the_second_time_start_another_upload(
    tmp_path: Path, here: Path, data: Path
) -> None:
    clip = make_video(tmp_path / "long.mp4", ballast_bytes=BALLAST_BYTES)
    with uploading(clip, "--source", "First") as command:
        until(lambda: bytes_there(here) > 20_000_000)
        command.kill()
    assert cli.main(["upload", str(clip), "--source", "Second"]) == 0
    [video] = stored(here)
    assert video.source_name == "Second"
