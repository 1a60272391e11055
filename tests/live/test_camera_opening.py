"""Cameras are opened within bounds, by RTSP, TLS, HTTP or as a device, or the reason is reported."""

from __future__ import annotations

import io
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import trustme
from tests.kit.clips import grey_jpeg, jpeg_of
from tests.live.showing import LAUNCHES, RtspCamera, Speaker
from tls_front import TlsFront

from frametally.errors import FrametallyError, Misconfigured, Poison
from frametally.process.allowed_addresses import AllowedPlaces, CameraAddress, read_address
from frametally.settings.fields import SecretStr
from frametally_live.cameras import camera_opening, http_stream
from frametally_live.cameras.camera_access import CameraAway, CameraLogin
from frametally_live.cameras.camera_frames import CameraFrame, CameraReader
from frametally_live.cameras.camera_opening import CameraToOpen, open_camera
from frametally_live.cameras.stream_clock import CaptureClock

LOGIN = CameraLogin("viewer", SecretStr("ge:he/im@"))


def to_open(address: str, *, login: CameraLogin | None = None, **changes: Any) -> CameraToOpen:
    allowed = AllowedPlaces("127.0.0.1")
    camera = CameraToOpen(read_address(address), "gate-1", "tcp", login, allowed, 50_000_000)
    return camera._replace(**changes)


def by_http(server: Speaker, **changes: Any) -> CameraToOpen:
    return to_open(f"http://127.0.0.1:{server.port}/video", **changes)


def frames_of(camera: CameraToOpen, most: int) -> list[CameraFrame]:
    """The first frames of a camera."""
    found: list[CameraFrame] = []
    with open_camera(camera, lambda: False) as opened:
        for frame in CameraReader(opened, CaptureClock()).frames():
            found.append(frame)
            if len(found) == most:
                return found
    return found


def failure_of(camera: CameraToOpen) -> FrametallyError:
    with pytest.raises(FrametallyError) as told:
        frames_of(camera, 10_000)
    assert "\n" not in str(told.value)
    for secret in ("ge:he", "ge%3Ahe", "geheim"):
        assert secret not in str(told.value)
    return told.value


def jpeg(width_px: int, height_px: int, grey: int) -> bytes:
    return grey_jpeg(width_px, height_px, grey % 256)


def request_of(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and (data := connection.recv(4096)):
        head += data
    return head


def answering(*answers: bytes) -> Callable[[socket.socket], None]:
    """Answer each request of a connection with the next of these; then read on silently."""

    def speak(connection: socket.socket) -> None:
        for answer in answers:
            request_of(connection)
            connection.sendall(answer)
        while connection.recv(4096):
            pass

    return speak


MULTIPART = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def part_of(data: bytes) -> bytes:
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n"


def motion_jpeg(
    sizes_px: Iterator[tuple[int, int]], *, pause_s: float = 0.02
) -> Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(MULTIPART)
        for number, size_px in enumerate(sizes_px):
            connection.sendall(part_of(jpeg(*size_px, number * 5)))
            time.sleep(pause_s)

    return speak


@pytest.mark.thorough
def test_motion_jpeg_over_http_gets_its_times_of_arrival_and_may_change_its_size() -> None:
    sizes_px = [(64, 48)] * 10 + [(128, 96)] * 10 + [(32, 32)] * 10
    with Speaker(motion_jpeg(iter(sizes_px), pause_s=0.05)) as server:
        began_ms = time.time() * 1000
        found: list[CameraFrame] = []
        with (
            pytest.raises(CameraAway, match="ended its stream"),
            open_camera(by_http(server), lambda: False) as opened,
        ):
            found.extend(CameraReader(opened, CaptureClock()).frames())
    assert [(one.frame.width, one.frame.height) for one in found] == sizes_px
    assert {one.captured.time_source for one in found} == {"arrival"}
    assert 0 <= found[0].captured.at_ms - began_ms < 10_000
    assert found[-1].captured.at_ms - found[0].captured.at_ms >= 29 * 50


def shared_by_half(connection: socket.socket) -> None:
    """Every second picture stops in its middle, as if the network dropped the rest."""
    request_of(connection)
    connection.sendall(MULTIPART)
    rng = np.random.default_rng(3)
    for number in range(20):
        whole = jpeg_of(rng.integers(0, 255, (96, 128, 3), np.uint8))
        connection.sendall(part_of(whole[: len(whole) // 2] if number % 2 else whole))
        time.sleep(0.02)


def test_truncated_pictures_are_left_out_and_counted() -> None:
    with Speaker(shared_by_half) as server:
        found: list[CameraFrame] = []
        with pytest.raises(CameraAway), open_camera(by_http(server), lambda: False) as opened:
            reader = CameraReader(opened, CaptureClock())
            found.extend(reader.frames())
    assert (len(found), reader.pieces_damaged) == (10, 10)


def test_a_camera_with_a_thousand_frames_a_second_is_read() -> None:
    with Speaker(motion_jpeg(((32, 32) for _ in count()), pause_s=0.001)) as server:
        found = frames_of(by_http(server), 500)
    times = [one.captured.at_ms for one in found]
    assert times == sorted(set(times))


def piece_of_hls() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            picture = np.full((48, 64, 3), number * 5, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def hls(piece_url: str, piece: bytes | None = None) -> Callable[[socket.socket], None]:
    playlist = (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
        f"#EXTINF:2.0,\n{piece_url}\n#EXT-X-ENDLIST\n"
    ).encode()
    piece = piece_of_hls() if piece is None else piece

    def speak(connection: socket.socket) -> None:
        is_playlist = b"m3u8" in request_of(connection).split(b"\r\n")[0]
        body, kind = (playlist, b"application/vnd.apple.mpegurl") if is_playlist else (piece, b"video/mp2t")
        connection.sendall(
            b"HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body
        )

    return speak


def test_hls_is_read_piece_by_piece() -> None:
    with Speaker(hls("piece.ts")) as server:
        found = frames_of(to_open(f"http://127.0.0.1:{server.port}/live.m3u8"), 20)
        assert server.visits == 2
    assert [round(float(one.position_s), 3) for one in found] == [index / 10 for index in range(20)]
    times_ms = [one.captured.at_ms for one in found]
    assert {b - a for a, b in pairwise(times_ms)} <= {99, 100, 101}, "though they came at once"


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/piece.ts", "file:///etc/passwd", "http://127.0.0.2:80/piece.ts", "concat:a|b"],
)
def test_a_playlist_cannot_lead_to_a_forbidden_address(url: str) -> None:
    with Speaker(hls(url)) as server:
        told = failure_of(to_open(f"http://127.0.0.1:{server.port}/live.m3u8"))
    assert isinstance(told, CameraAway), "it is tried again"
    if url.startswith("http"):  # FFmpeg itself never requests others
        assert "leads to an address that is not allowed" in str(told)


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.2:{port}/", "file:///etc/passwd"]
)
def test_an_http_redirect_cannot_lead_to_a_forbidden_address(target: str) -> None:
    with Speaker(motion_jpeg((64, 48) for _ in count())) as inside:
        answer = f"HTTP/1.0 302 Found\r\nLocation: {target.format(port=inside.port)}\r\n".encode()
        answer += b"Content-Length: 0\r\n\r\n"
        with Speaker(answering(answer)) as server:
            told = failure_of(by_http(server))
            assert isinstance(told, CameraAway), "it is tried again"
            assert "address that is not allowed" in str(told) or "redirects to another address" in str(told)
        assert inside.visits == 0


def test_only_a_camera_with_a_refused_ip_address_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("rtsp://169.254.169.254/gate", "http://[::ffff:127.0.0.2]/video"):
        assert isinstance(failure_of(to_open(address)), Poison)
    for scheme in ("rtsp", "http"):
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, port, **_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.1.1", port))],
        )
        told = failure_of(to_open(f"{scheme}://gate.example.org/video"))
        assert isinstance(told, CameraAway)
        assert "frametally does not allow cameras at gate.example.org (169.254.1.1)" in str(told)


def test_an_http_redirect_to_an_allowed_address_is_followed_without_the_login() -> None:
    asked: list[bytes] = []

    def inside(connection: socket.socket) -> None:
        asked.append(request_of(connection))
        connection.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

    with Speaker(inside) as other:
        answer = f"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:{other.port}/\r\n".encode()
        answer += b"Content-Length: 0\r\n\r\n"
        with Speaker(answering(answer)) as server:
            assert "does not know this path" in str(failure_of(by_http(server, login=LOGIN)))
    assert asked
    assert b"uthorization" not in asked[0]


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_an_http_camera_gets_its_login(scheme: str) -> None:
    asked: list[bytes] = []
    show = motion_jpeg((64, 48) for _ in count())
    challenge = {"Basic": 'Basic realm="cam"', "Digest": 'Digest realm="cam", nonce="abc", qop="auth"'}[
        scheme
    ]

    def speak(connection: socket.socket) -> None:
        head = connection.recv(4096, socket.MSG_PEEK)
        asked.append(head)
        if b"\r\nAuthorization: %s " % scheme.encode() in head:
            show(connection)
        else:
            request_of(connection)
            connection.sendall(f"HTTP/1.0 401 No\r\nWWW-Authenticate: {challenge}\r\n\r\n".encode())

    with Speaker(speak) as server:
        assert len(frames_of(by_http(server, login=LOGIN), 3)) == 3
        assert "requires a user name and password" in str(failure_of(by_http(server)))


@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Bearer"])
def test_a_refused_login_is_reported_after_one_try(scheme: str) -> None:
    answer = f'HTTP/1.0 401 No\r\nWWW-Authenticate: {scheme} realm="cam", nonce="a"\r\n'.encode()

    def refuse(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer + b"Content-Length: 0\r\n\r\n")

    with Speaker(refuse) as server:
        told = failure_of(by_http(server, login=LOGIN))
        assert "refuses the user name or password (401)" in str(told)
        assert server.visits <= 2


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("rtsp://169.254.169.254/a", 302),
        ("rtsp://127.0.0.1:{port}/a", 301),
        ("http://127.0.0.1:{port}/", 305),
    ],
)
def test_rtsp_redirects_are_never_followed(location: str, status: int) -> None:
    with Speaker(answering()) as inside:
        line = f"RTSP/1.0 {status} Moved\r\nCSeq: 1\r\nLocation: {location.format(port=inside.port)}\r\n\r\n"
        with Speaker(answering(line.encode())) as server:
            told = str(failure_of(to_open(f"rtsp://127.0.0.1:{server.port}/gate")))
        assert "redirects to another address" in told
        assert inside.visits == 0


def endless(protocol: bytes) -> Callable[[socket.socket], None]:
    def speak(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(protocol + b" 200 OK\r\n")
        while True:
            connection.sendall(b"X-Never: ends\r\n" * 100)

    return speak


def garbage(connection: socket.socket) -> None:
    request_of(connection)
    connection.sendall(bytes(range(128, 256)) * 100)


def dripping(connection: socket.socket) -> None:
    request_of(connection)
    while True:
        connection.sendall(b"H")
        time.sleep(0.1)


def garbage_pictures(connection: socket.socket) -> None:
    request_of(connection)
    connection.sendall(MULTIPART)
    while True:
        connection.sendall(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\nnojpeg!!!\r\n")
        time.sleep(0.01)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("speak", "scheme", "line"),
    [
        (endless(b"RTSP/1.0"), "rtsp", "a header that never ends"),
        (garbage, "rtsp", "not answer with RTSP"),
        (answering(b"HTTP/1.0 200 OK\r\n\r\n"), "rtsp", "not answer with RTSP"),
        (answering(), "rtsp", "sent no pictures for 3 s"),
        (dripping, "rtsp", "sent no pictures for 3 s"),
        (answering(b"RTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 1\r\n\r\n"), "rtsp", "answers 453"),
        (answering(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 99999999\r\n\r\n"), "rtsp", "too long"),
        (endless(b"HTTP/1.0"), "http", "does not answer with valid HTTP"),
        (garbage, "http", "does not answer with valid HTTP"),
        (answering(), "http", "sent no pictures for 3 s"),
        (dripping, "http", "sent no pictures for 3 s"),
        (
            answering(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"),
            "http",
            "answers with text/html",
        ),
        (answering(b"HTTP/1.0 200 OK\r\n\r\n<html>"), "http", "answers without a Content-Type; over"),
        (garbage_pictures, "http", "cannot be decoded|cannot be opened"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_a_nonsense_answer_gives_one_line(
    speak: Callable[[socket.socket], None], scheme: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_opening, "OPEN_S", 3.0)
    with Speaker(speak) as server:
        told = failure_of(to_open(f"{scheme}://127.0.0.1:{server.port}/gate", login=LOGIN))
    assert isinstance(told, CameraAway)
    assert any(part in str(told) for part in line.split("|")), told


def hushed(connection: socket.socket) -> None:
    """Show twenty frames, then fall silent with an open connection."""
    motion_jpeg((64, 48) for _ in range(20))(connection)
    while connection.recv(4096):
        pass


@pytest.mark.thorough
@pytest.mark.parametrize(
    "speak", [hushed, answering(MULTIPART), answering()], ids=["hushed", "pictureless", "dumb"]
)
def test_a_camera_that_falls_silent_is_reported_as_silent_and_not_as_ended(
    speak: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_stream, "SILENT_S", 0.5)
    with Speaker(speak) as server:
        told = failure_of(by_http(server))
    assert str(told) == "sent nothing for 0.5 s"


@pytest.mark.thorough
def test_a_frozen_rtsp_camera_is_reported_as_sending_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_opening, "SILENT_S", 0.5)
    with (
        RtspCamera(LAUNCHES["mjpeg"]) as camera,
        open_camera(to_open(camera.address), lambda: False) as opened,
    ):
        packets = opened.packets()
        next(packets)
        camera.freeze()
        with pytest.raises(CameraAway, match=r"^sent no pictures for 0\.5 s$"):
            list(packets)


def test_frames_with_more_pixels_than_allowed_are_refused() -> None:
    with Speaker(motion_jpeg((640, 480) for _ in count())) as server:
        assert isinstance(failure_of(by_http(server, max_pixels=100_000)), CameraAway)


def test_a_closed_port_and_an_unknown_name_give_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "is not responding at" in str(failure_of(to_open(f"rtsp://127.0.0.1:{port}/gate")))
    assert "cannot resolve" in str(failure_of(to_open("rtsp://nowhere.invalid/gate")))


@pytest.mark.thorough
def test_a_wrong_path_a_wrong_password_and_a_missing_one_give_different_errors() -> None:
    with RtspCamera(LAUNCHES["mjpeg"], user="viewer", password=LOGIN.password.get_secret_value()) as camera:
        wrong = LOGIN._replace(password=SecretStr("geheim"))
        assert "requires a user name and password" in str(failure_of(to_open(camera.address)))
        told = failure_of(to_open(camera.address, login=wrong))
        assert isinstance(told, CameraAway)
        assert told.refuses_login
        assert len(frames_of(to_open(camera.address, login=LOGIN), 3)) == 3
    with RtspCamera(LAUNCHES["mjpeg"]) as camera:
        assert "does not know this path" in str(failure_of(to_open(f"{camera.address}/../other")))


def test_a_camera_with_only_sound_has_no_moving_pictures() -> None:
    launch = "audiotestsrc is-live=true ! audioconvert ! alawenc ! rtppcmapay name=pay0"
    with RtspCamera(launch) as camera:
        failure_of(to_open(camera.address))


def test_a_stop_takes_effect_while_a_camera_is_silent() -> None:
    stop = threading.Event()
    with Speaker(answering()) as server:
        threading.Timer(0.5, stop.set).start()
        began_s = time.monotonic()
        with (
            pytest.raises(CameraAway),
            open_camera(to_open(f"rtsp://127.0.0.1:{server.port}/gate"), stop.is_set),
        ):
            pass
        assert time.monotonic() - began_s < camera_opening.OPEN_S


def authority_of(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """An authority's certificate, and a key and certificate from it for a camera with this name."""
    authority = trustme.CA()
    ca_file, pem = folder / f"authority-{name}.pem", folder / f"camera-{name}.pem"
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(pem)
    return ca_file, pem


@pytest.mark.thorough
def test_an_rtsps_camera_is_read_over_tcp_only_with_its_login_whether_or_not_its_authority_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_by: list[str] = []
    av_open = av.open

    def opened(*where: Any, **options: Any) -> Any:
        asked_by.append(options["container_options"]["rtsp_transport"])
        return av_open(*where, **options)

    monkeypatch.setattr(av, "open", opened)
    ca_file, pem = authority_of(tmp_path)
    password = LOGIN.password.get_secret_value()
    with RtspCamera(LAUNCHES["mjpeg"], user=LOGIN.user, password=password, pem=pem) as camera:
        assert camera.address.startswith("rtsps://")
        for trusted in (None, ca_file):
            one = to_open(camera.address, login=LOGIN, transport="udp", ca_file=trusted)
            assert len(frames_of(one, 3)) == 3
    assert asked_by == ["tcp", "tcp"], "by UDP the pictures would pass beside TLS"


def test_an_untrusted_camera_gives_one_line_with_the_remedy_and_receives_nothing(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def heard(connection: object) -> None:
        asked.append(b"a visitor")

    _, pem = authority_of(tmp_path)
    (tmp_path / "other").mkdir()
    of_another, _ = authority_of(tmp_path / "other")
    with (
        RtspCamera(LAUNCHES["mjpeg"], pem=pem) as camera,
        pytest.raises(CameraAway, match=r"not trusted.*FRAMETALLY_LIVE_CA_FILE"),
    ):
        frames_of(to_open(camera.address, login=LOGIN, ca_file=of_another), 3)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "mine.pem")
    with Speaker(heard) as behind, TlsFront(authority.issue_cert("other.example.org"), behind.port) as front:
        for scheme in ("rtsps", "https"):
            address = f"{scheme}://127.0.0.1:{front.port}/gate"
            told = failure_of(to_open(address, login=LOGIN, ca_file=tmp_path / "mine.pem"))
            assert "use the host name of the certificate" in str(told), "it is of another name"
    assert not asked


def test_motion_jpeg_over_https_is_read_from_a_trusted_camera(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "mine.pem")
    with (
        Speaker(motion_jpeg(iter([(64, 48)] * 5))) as behind,
        TlsFront(authority.issue_cert("127.0.0.1"), behind.port) as front,
    ):
        one = to_open(f"https://127.0.0.1:{front.port}/video", ca_file=tmp_path / "mine.pem")
        assert len(frames_of(one, 3)) == 3


def test_unreadable_authorities_and_a_camera_without_tls_give_one_line(tmp_path: Path) -> None:
    with Speaker(answering(b"RTSP/1.0 200 OK\r\n\r\n")) as server:
        address = f"rtsps://127.0.0.1:{server.port}/gate"
        (tmp_path / "none.pem").write_text("no certificate")
        for name in ("none.pem", "absent.pem"):
            told = failure_of(to_open(address, ca_file=tmp_path / name))
            assert isinstance(told, Misconfigured)
            assert "FRAMETALLY_LIVE_CA_FILE" in str(told)
    with RtspCamera(LAUNCHES["mjpeg"]) as camera:
        told = failure_of(to_open(camera.address.replace("rtsp://", "rtsps://")))
        assert "does not use TLS on this port" in str(told)


def told_of(path: str) -> str:
    camera = to_open("rtsp://127.0.0.1/")._replace(address=CameraAddress("", "", 0, path))
    told = failure_of(camera)
    assert isinstance(told, CameraAway)
    return str(told)


def test_ffmpeg_has_its_reader_for_video4linux_devices() -> None:
    assert "video4linux2,v4l2" in av.formats_available


def test_a_device_that_is_not_a_readable_camera_gives_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told_of("/dev/video987") == "/dev/video987 does not exist: connect the camera"
    (tmp_path / "video0").write_bytes(b"no device")
    assert told_of(str(tmp_path / "video0")).endswith("video0 is not a camera: use a path like /dev/videoN")
    assert told_of("/dev/null") == "cannot be opened (Inappropriate ioctl for device)"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert told_of("/dev/null").startswith("/dev/null cannot be read: add your user to the device's group")
