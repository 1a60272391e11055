"""Opens a camera: its protocol, its formats and codecs, and its limits."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import av

from frametally.process.allowed_addresses import AllowedPlaces, CameraAddress, read_address
from frametally.settings.loading import Settings
from frametally_live.cameras.camera_access import CameraAway, CameraLogin, dial, login_of, without_login
from frametally_live.cameras.http_stream import SILENT_S, HttpStream, HttpVisitor
from frametally_live.cameras.rtsp_relay import RtspRelay
from frametally_live.settings import LiveSettings
from frametally_producer.reading.whole_pictures import prepare_decoder

OPEN_S = 10.0
"""Time within which a camera must describe its stream."""
_PLAYLIST_SILENT_S = 30.0
"""HLS sends pieces of several seconds at a time."""
_LOOK_S = 0.2
_CODES = "h264,hevc,mjpeg"
_PLAYLISTS = {"application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl"}
_BOUNDS = {
    "codec_whitelist": f"{_CODES},rawvideo",
    # Limits for FFmpeg's input and time when it detects the stream.
    "analyzeduration": "500000",
    "probesize": "2000000",
    "max_streams": "16",
}
_NOWHERE = {"protocol_whitelist": "none"}
"""A name that no protocol has: FFmpeg reads its input, and connects to nothing."""

Transport = Literal["tcp", "udp"]


class CameraToOpen(NamedTuple):
    """The data for opening a camera; `source` is a slug, `transport` that of RTSP.

    Attributes:
        login: None if it does not need a log-in.
        max_pixels: Width times height above which its frames are refused.
        ca_file: PEM file of the authorities that must have issued its certificate; None if it is not checked.
    """

    address: CameraAddress
    source: str
    transport: Transport
    login: CameraLogin | None
    allowed: AllowedPlaces
    max_pixels: int
    ca_file: Path | None = None


def camera_to_open(settings: Settings, *, address: str, source: str, transport: Transport) -> CameraToOpen:
    """Return the data for opening the camera of a source.

    Raises:
        Misconfigured: A setting of cameras cannot be read.
        Poison: It is not an address of a camera.
    """
    place = read_address(address, devices=True)
    return CameraToOpen(
        address=place,
        source=source,
        transport=transport,
        login=login_of(settings.part(LiveSettings).live_logins, source, place.host),
        allowed=AllowedPlaces(settings.part(LiveSettings).live_allow),
        max_pixels=settings.max_image_megapixels * 1_000_000,
        ca_file=settings.part(LiveSettings).live_ca_file,
    )


class _Deadline:
    """Closes a connection, even a blocked one, that has been silent for too long or that must stop."""

    def __init__(self, cut: Callable[[], None], should_stop: Callable[[], bool]) -> None:
        self.passed = False
        self._cut = cut
        self._should_stop = should_stop
        self._seconds = OPEN_S
        self._at_s = time.monotonic() + OPEN_S
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="camera-deadline", daemon=True)
        self._thread.start()

    def move(self, seconds: float) -> None:
        self._seconds = seconds
        self._at_s = time.monotonic() + seconds

    def failure(self) -> CameraAway | None:
        return CameraAway(f"sent no pictures for {self._seconds:g} s") if self.passed else None

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self.passed = self.passed or time.monotonic() > self._at_s
            if self.passed or self._should_stop():
                self._cut()
                return


@dataclass
class OpenCamera:
    """A camera that is being read."""

    container: av.container.InputContainer
    stream: av.VideoStream
    _: KW_ONLY
    move_deadline: Callable[[], None]
    count_lost: Callable[[], int]
    failure: Callable[[], Exception | None]

    @property
    def has_times(self) -> bool:
        """Whether its frames have timestamps; otherwise only their arrival times are known."""
        return self.container.format.name != "mpjpeg"

    @property
    def packets_lost(self) -> int:
        """Packets lost by the network so far, if known."""
        return self.count_lost()

    def packets(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Yield packets as they arrive.

        Raises:
            CameraAway: It stopped sending, or leads to a forbidden address.
        """
        try:
            for packet in self.container.demux(self.stream):
                if packet.size:
                    self.move_deadline()
                    yield packet
        except (av.FFmpegError, OSError) as error:
            raise self.failure() or CameraAway(f"closed the connection ({reason_of(error)})") from error
        raise self.failure() or CameraAway("ended its stream")


@contextmanager
def open_camera(camera: CameraToOpen, should_stop: Callable[[], bool]) -> Iterator[OpenCamera]:
    """Open a camera; its packets end once `should_stop()` is true.

    Raises:
        Poison: No camera may be at the given IP address.
        CameraAway: It cannot be opened now, leads to a forbidden address, or sends an unsupported format.
    """
    camera.allowed.check_written(camera.address.host)
    with ExitStack() as stack:
        if not camera.address.scheme:
            yield _device(camera, stack, should_stop)
        elif camera.address.scheme in ("rtsp", "rtsps"):
            yield _by_rtsp(camera, stack, should_stop)
        else:
            yield _by_http(camera, stack, should_stop)


def _by_rtsp(camera: CameraToOpen, stack: ExitStack, should_stop: Callable[[], bool]) -> OpenCamera:
    address, login = camera.address, camera.login
    connection = dial(
        address.host,
        address.port,
        camera.allowed,
        by_tls=address.scheme == "rtsps",
        ca_file=camera.ca_file,
    )
    relay = stack.enter_context(RtspRelay(connection, source=camera.source, has_login=login is not None))
    deadline = _Deadline(relay.cut, should_stop)
    stack.callback(deadline.end)
    path = address.text.partition("://")[2].partition("/")
    before_at = f"{login.in_url}@" if login is not None else ""

    def failure() -> Exception | None:
        return relay.failure or deadline.failure()

    return _open_camera(
        camera,
        stack,
        deadline,
        lambda: av.open(
            f"rtsp://{before_at}127.0.0.1:{relay.port}/{path[2]}",
            "r",
            format="rtsp",
            container_options=_BOUNDS
            | {
                "protocol_whitelist": "tcp,udp,rtp",
                # Over UDP the pictures would bypass TLS.
                "rtsp_transport": "tcp" if address.scheme == "rtsps" else camera.transport,
                "allowed_media_types": "video",
                "max_pixels": str(camera.max_pixels),
            },
            metadata_errors="replace",
        ),
        failure=failure,
        silent_s=SILENT_S,
        packets_lost=lambda: relay.packets_lost,
    )


def _by_http(camera: CameraToOpen, stack: ExitStack, should_stop: Callable[[], bool]) -> OpenCamera:
    visitor = HttpVisitor(
        camera.address, camera.allowed, camera.login, source=camera.source, ca_file=camera.ca_file
    )
    deadline = _Deadline(visitor.cut, should_stop)
    stack.callback(deadline.end)
    stack.callback(visitor.close)

    def failure() -> Exception | None:
        return visitor.refused or deadline.failure() or (answer.failure if answer is not None else None)

    answer: HttpStream | None = None
    try:
        answer = visitor.open(camera.address.text)
    except CameraAway as error:
        raise failure() or error from error
    stack.callback(answer.close)
    path = camera.address.text.partition("?")[0]
    is_playlist = answer.content_type in _PLAYLISTS or path.endswith((".m3u8", ".m3u"))
    if not is_playlist and answer.content_type != "multipart/x-mixed-replace":
        kind = f"with {answer.content_type}" if answer.content_type else "without a Content-Type"
        raise CameraAway(
            f"answers {kind}; over HTTP, frametally reads HLS and Motion JPEG "
            "(multipart/x-mixed-replace): enter the address of one of these"
        )
    options = _BOUNDS | _NOWHERE | {"max_pixels": str(camera.max_pixels)}
    if is_playlist:
        options |= {"http_persistent": "0", "http_multiple": "0", "format_whitelist": "hls,mpegts,mov,mp4"}
    return _open_camera(
        camera,
        stack,
        deadline,
        lambda: av.open(
            answer,
            "r",
            format="hls" if is_playlist else "mpjpeg",
            container_options=options,
            metadata_errors="replace",
            io_open=visitor.open_referred,
            buffer_size=1 << 13,
        ),
        failure=failure,
        silent_s=_PLAYLIST_SILENT_S if is_playlist else SILENT_S,
    )


def _device(camera: CameraToOpen, stack: ExitStack, should_stop: Callable[[], bool]) -> OpenCamera:
    path = Path(camera.address.text)
    try:
        if not stat.S_ISCHR(path.stat().st_mode):
            raise CameraAway(f"{path} is not a camera: use a path like /dev/videoN")
    except FileNotFoundError:
        raise CameraAway(f"{path} does not exist: connect the camera") from None
    denied = CameraAway(f"{path} cannot be read: add your user to the device's group, usually `video`")
    deadline = _Deadline(lambda: None, should_stop)
    stack.callback(deadline.end)
    return _open_camera(
        camera,
        stack,
        deadline,
        lambda: av.open(
            str(path), "r", format="video4linux2,v4l2", container_options=dict(_BOUNDS), timeout=SILENT_S
        ),
        failure=lambda: deadline.failure() if os.access(path, os.R_OK | os.W_OK) else denied,
        silent_s=SILENT_S,
    )


def _open_camera(
    camera: CameraToOpen,
    stack: ExitStack,
    deadline: _Deadline,
    open_container: Callable[[], av.container.InputContainer],
    *,
    failure: Callable[[], Exception | None],
    silent_s: float,
    packets_lost: Callable[[], int] = int,
) -> OpenCamera:
    """Open a container, and find its video stream."""
    try:
        container = stack.enter_context(open_container())
        stream = _pictures(container, camera.max_pixels)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise failure() or CameraAway(f"cannot be opened ({reason_of(error)})") from error
    deadline.move(silent_s)
    return OpenCamera(
        container,
        stream,
        move_deadline=lambda: deadline.move(silent_s),
        count_lost=packets_lost,
        failure=failure,
    )


def _pictures(container: av.container.InputContainer, max_pixels: int) -> av.VideoStream:
    stream = next(iter(container.streams.video), None)
    if stream is None:
        raise CameraAway("sends no video: enter the address of its video stream")
    context = stream.codec_context
    if context is None or context.codec.canonical_name not in (*_CODES.split(","), "rawvideo"):
        raise CameraAway(
            "sends video in a format that frametally does not read: set it to H.264, H.265 or Motion JPEG"
        )
    if context.width * context.height > max_pixels:
        raise CameraAway(
            f"sends {context.width}x{context.height} pixels per frame, but at most "
            f"{max_pixels // 1_000_000} million are allowed: choose a smaller size on the camera, or raise "
            "FRAMETALLY_MAX_IMAGE_MEGAPIXELS"
        )
    prepare_decoder(stream, max_pixels=max_pixels)
    return stream


def reason_of(error: Exception) -> str:
    """Return why FFmpeg failed, but never its own text, which may contain a password."""
    return without_login(str(getattr(error, "strerror", None) or type(error).__name__))
