"""Reads a video: its frames in order of presentation, each with its time, upright."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from io import BufferedReader
from typing import NamedTuple, cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally.process.reports import plural
from frametally_producer.reading.footage import WithoutPackedHeaders, lacks_rate
from frametally_producer.reading.pixels import UPRIGHT, upright
from frametally_producer.reading.sampling import PresentationTimes
from frametally_producer.reading.tracks import (
    FFMPEG_TIME_BASE,
    choose_track,
    rate_remark,
    stated_frames,
    stated_length_s,
)
from frametally_producer.reading.whole_pictures import WholePictures

# A display matrix (ISO/IEC 14496-12, 6.2.2) sends a pixel (x, y) to (a x + c y, b x + d y): its signs
# (a, b, c, d), and the EXIF orientation that says the same.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_LYING = {5, 6, 7, 8}
_CLOCKWISE_DEGREES = {1: 0, 2: 0, 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
_UNMIRRORED = {0: 1, 90: 6, 180: 3, 270: 8}
_USUAL_FPS = 25
"""Of a file that does not say how many frames a second it has."""
_HEAD_BYTES = 400
# A video whose frames end this much before the length that it states was cut short.
_MISSING_S, _MISSING_PART = Fraction(1), Fraction(1, 20)
_GROWN_PIXELS = 9_000_000
"""What a stream's frames may grow to: 4096x2160, or their first size where that is more."""
_ROUNDED_PX = 64  # a row's, when FFmpeg counts
_ROUNDING_PIXELS = _ROUNDED_PX << 14


def container_format(head: bytes) -> str:
    """Return FFmpeg's name of the container that begins with `head`.

    FFmpeg gets this name, so that it never guesses: guessing would also find playlists, which read other
    files.

    Raises `Poison` for no container that frametally reads.
    """
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:11] == b"AVI":
        return "avi"
    if head[0:1] == head[188:189] == head[376:377] == b"\x47":
        return "mpegts"
    if head[4:5] == head[196:197] == head[388:389] == b"\x47":  # .m2ts: 4 bytes before each packet
        return "mpegts"
    if head.startswith(b"\x00\x00\x01\xba"):
        return "mpeg"
    if head.startswith(b"FLV\x01"):
        return "flv"
    if head.startswith(bytes.fromhex("3026b2758e66cf11")):
        return "asf"
    if head.startswith(b"OggS"):
        return "ogg"
    raise Poison(
        "does not begin like a video (MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WMV and Ogg are read; playlists "
        "are not); give the video itself"
    )


OnSound = Callable[["av.Packet[av.AudioStream]"], None]


class TimedFrame(NamedTuple):
    """A decoded frame.

    Attributes:
        frame_index: Counted from 0 over the decoded frames, in the order of their presentation.
        position_s: Presentation time from the first frame, seconds.
        offset_ms: Presentation time from the start of the stream, milliseconds, rounded down.
    """

    frame_index: int
    position_s: Fraction
    offset_ms: int
    frame: av.VideoFrame


@contextmanager
def open_video(file: BufferedReader, *, max_pixels: int, track: int | None = None) -> Iterator[Video]:
    """Open a track of the video in `file` (None: the usual one); nothing else is read. Raises `Poison`."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    try:
        container = av.open(
            WithoutPackedHeaders(file),
            "r",
            format=container_format(head),
            # No protocol has this name, so whatever a container refers to outside itself stays unread.
            container_options={"protocol_whitelist": "none"},
            metadata_errors="replace",
            # For the frames that FFmpeg decodes to learn what the streams are.
            options={"max_pixels": str(max_pixels + _ROUNDING_PIXELS)},
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise Poison(
            f"cannot be opened as a video ({_reason(error)}); copy it again from the original, or convert it"
        ) from error
    with container:
        video = Video(container, file, max_pixels=max_pixels, track=track)
        if lacks_rate(head):
            video.doubt = f"its header has no frame rate, so frametally takes {_USUAL_FPS} frames per second"
        yield video


class Video:
    """An open video; its frames can be read once.

    Attributes:
        damage: After reading: what was wrong with it, one sentence each.
        doubt: What may be wrong with its times; empty: nothing is known.
        rate_remark: What to say where it states that it was filmed at another rate; empty: it does not.
        size_px: Width and height, as stored.
        track: Which of the file's tracks of moving pictures it is.
        codec: FFmpeg's name of what the pictures are coded in, such as `h264`.
        sound_codecs: Likewise of each sound track; empty where the code is not known.
        container: As FFmpeg has it open, for who describes all of it.
        stream: Its moving pictures, for who copies them.
        sound: Its first track of sound in a code that is known; None: there is none.
        end_s: After reading frames: the end of the last, seconds from the first; None: there was none.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        file: BufferedReader,
        *,
        max_pixels: int,
        track: int | None = None,
    ) -> None:
        """Look at a track of the container, by its number; None: at the usual one."""
        self.track = choose_track(container, track)
        stream = self.track.stream
        if stream.codec_context is None:
            raise Poison("uses an unknown video codec; convert it, for example to H.264")
        size = stream.codec_context.width, stream.codec_context.height
        pixels = size[0] * size[1]
        if pixels > max_pixels:
            raise Poison(
                f"has {size[0]}x{size[1]} pixels per frame, but at most {max_pixels // 1_000_000} million "
                "are allowed; shrink it, or raise FRAMETALLY_MAX_IMAGE_MEGAPIXELS"
            )
        # For what the frames claim later: larger ones count as damaged pieces.
        most_pixels = max(-(-size[0] // _ROUNDED_PX) * _ROUNDED_PX * size[1], min(max_pixels, _GROWN_PIXELS))
        stream.codec_context.options = {"max_pixels": str(most_pixels)}
        self.recorded = creation_time(container.metadata) or creation_time(stream.metadata)
        self.filmed = creation_time(container.metadata, "com.apple.quicktime.creationdate")
        self.duration_s = stated_length_s(container, stream)
        self.frames_stated = stated_frames(container, stream)
        self.damage: list[str] = []
        self.doubt = ""
        self.average_fps = stream.average_rate or stream.guessed_rate
        self.rate_remark = rate_remark(container.metadata, self.average_fps)
        self.size_px = size
        self.codec = stream.codec_context.codec.canonical_name
        self.sound_codecs = [
            sound.codec_context.codec.canonical_name if sound.codec_context else ""
            for sound in container.streams.audio
        ]
        self.stream_count = len(container.streams)
        self.container = container
        self.file = file
        self.stream = stream
        self.sound = next((one for one in container.streams.audio if one.codec_context), None)
        self.end_s: Fraction | None = None
        self._on_sound: OnSound | None = None
        self._time_base = stream.time_base or FFMPEG_TIME_BASE
        self._reformatter = VideoReformatter()

    def first_frame(self, *, most_packets: int) -> av.VideoFrame | None:
        """Return the first frame that the first so many packets give; None if they give none.

        What is read so is not read again by `frames`.
        """
        bad_pieces = 0
        frame = None
        for packet in itertools.chain(itertools.islice(self._packets(), most_packets), (None,)):
            try:
                frame = next(iter(self.stream.decode(packet)), None)
            except av.FFmpegError:
                bad_pieces += 1
            if frame is not None:
                bad_pieces += frame.is_corrupt
                break
        if bad_pieces:
            self.damage.append(
                f"{plural(bad_pieces, 'of its first packets is', 'of its first packets are')} damaged"
            )
        return frame

    def glimpses(self, places_s: Iterable[Fraction], *, most_decoded: int) -> Iterator[av.VideoFrame | None]:
        """Yield for each place, a time from the first frame in seconds, the frame that is shown there.

        At most so many frames are decoded for each: on from the frame of the place before, if this one is
        about as near, else from the last key frame before it; the last of those is taken
        then. None stands where nothing can be decoded. What is read so is not read again by `frames`.
        """
        start_s = (self.stream.start_time or 0) * self._time_base
        near = most_decoded / ((self.average_fps or _USUAL_FPS) * self._time_base)
        frames: Iterator[av.VideoFrame] = iter(())
        shown: av.VideoFrame | None = None
        ahead: av.VideoFrame | None = None  # decoded already, and shown later
        for place_s in places_s:
            ticks = int((start_s + place_s) / self._time_base)
            try:
                if shown is None or shown.pts is None or not 0 <= ticks - shown.pts <= near:
                    self.container.seek(ticks, stream=self.stream)
                    frames, shown, ahead = self._decoded(), None, None
                for _ in range(most_decoded):
                    ahead = next(frames, None) if ahead is None else ahead
                    if ahead is None:
                        break
                    late = ahead.pts is not None and ahead.pts > ticks
                    shown = ahead if shown is None or not late else shown
                    if late:
                        break
                    ahead = None
            except (av.FFmpegError, OSError):
                shown = None
            yield shown

    def stretches(
        self, places_s: Iterable[Fraction], *, most_frames: int, most_passed_over: int
    ) -> Iterator[tuple[bool, TimedFrame]]:
        """Yield some frames from each place on, a time from the first frame in seconds; none twice.

        They begin with the last key frame before the place; where that was passed already,
        with the place, if it is not further than `most_passed_over` frames from it. With each comes whether
        it is the very next after the one before. Its index counts the frames that were yielded. What is read
        so is not read again by `frames`.
        """
        start_ticks = self.stream.start_time or 0
        shown, index = start_ticks - 1, 0
        for place_s in places_s:
            place = start_ticks + int(place_s / self._time_base)
            try:
                self.container.seek(place, stream=self.stream)
            except (av.FFmpegError, OSError):
                continue
            begin, frames_taken = None, 0
            for passed_over, frame in enumerate(self._decoded()):
                ticks = frame.dts if frame.pts is None else frame.pts
                begin = (ticks if ticks is not None and ticks > shown else place) if begin is None else begin
                if ticks is None or ticks <= shown or ticks < begin:
                    if passed_over >= most_passed_over:
                        break
                    continue
                position_s = (ticks - start_ticks) * self._time_base
                yield frames_taken > 0, TimedFrame(index, position_s, int(position_s * 1000), frame)
                shown, index, frames_taken = ticks, index + 1, frames_taken + 1
                if frames_taken >= most_frames:
                    break

    def pixels(self, frame: av.VideoFrame) -> Pixels:
        """Convert the frame, upright: shape (height, width, 3), dtype uint8, channels blue, green, red.

        Raises `Poison`: FFmpeg cannot convert it.
        """
        try:
            bgr = self._reformatter.reformat(frame, format="bgr24").to_ndarray()
        except (av.FFmpegError, ValueError) as error:
            raise Poison(f"cannot be converted ({_reason(error)})") from error
        return upright(np.asarray(bgr, np.uint8), orientation_of(frame))

    def hear(self, on_sound: OnSound) -> None:
        """From now on, pass on the packets of `sound` that are read on the way to the pictures."""
        self._on_sound = on_sound

    def frames(self) -> Iterator[TimedFrame]:
        """Yield every whole frame that can be decoded, with its time as `PresentationTimes` says."""
        times = PresentationTimes(
            time_base=self._time_base, start_ticks=self.stream.start_time, rate=self.average_fps
        )
        left_out: list[Fraction] = []
        for frame_index, (frame, is_whole) in enumerate(self._judged()):
            times.pass_over(frame.pts, frame.duration)
            if is_whole:
                yield TimedFrame(frame_index, times.position_s, times.offset_ms, frame)
            else:
                left_out.append(times.position_s)
        if left_out:
            self.damage.append(
                f"{plural(len(left_out), 'frame is', 'frames are')} left out ({float(left_out[0]):.1f} s to "
                f"{float(left_out[-1]):.1f} s): each is damaged or depends on a damaged one"
            )
        self.end_s = times.end_s
        if times.end_s is not None:
            self._note_cut(times.end_s)

    def pieces(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Yield the pictures as they are coded, in the order of their decoding."""
        for packet in self._packets():
            if packet is not None and packet.size:
                yield packet

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Yield whole frames as they come."""
        return (frame for frame, is_whole in self._judged() if is_whole)

    def _judged(self) -> Iterator[tuple[av.VideoFrame, bool]]:
        """Yield frames, each with whether it is whole; what cannot be read or decoded is noted."""
        pictures = WholePictures(self.stream, begins_whole=True)
        yield from pictures.decode(self._packets())
        if pictures.damaged:
            # FFmpeg tells no size where it was let decode none of the frames.
            too_large = (
                "" if all(self.size_px) else ", or have more pixels than FRAMETALLY_MAX_IMAGE_MEGAPIXELS"
            )
            self.damage.append(
                f"{plural(pictures.damaged, 'of its packets is', 'of its packets are')} damaged{too_large}"
            )

    def _packets(self) -> Iterator[av.Packet[av.VideoStream] | None]:
        """Yield packets up to the end, or to where reading fails; then None, for the last frames."""
        heard = [] if self._on_sound is None or self.sound is None else [self.sound]
        packets = self.container.demux([self.stream, *heard])
        try:
            for packet in packets:
                if packet.stream.index == self.stream.index:  # the last, an empty one, has no `stream_index`
                    yield cast("av.Packet[av.VideoStream]", packet)
                elif self._on_sound is not None and packet.size:
                    self._on_sound(cast("av.Packet[av.AudioStream]", packet))
        except (av.FFmpegError, OSError) as error:
            self.damage.append(f"reading it stopped ({_reason(error)})")
            yield None

    def _note_cut(self, read_s: Fraction) -> None:
        stated_s = self.duration_s
        if stated_s is not None and stated_s - read_s > max(_MISSING_S, stated_s * _MISSING_PART):
            self.damage.append(f"its frames end at {float(read_s):.1f} s of {float(stated_s):.1f} s")


def shown_size_px(frame: av.VideoFrame) -> tuple[int, int]:
    """Return the width and height of the frame once it is upright."""
    return (frame.height, frame.width) if orientation_of(frame) in _LYING else (frame.width, frame.height)


def creation_time(metadata: Mapping[str, str], key: str = "creation_time") -> datetime.datetime | None:
    """Return when a container or a stream says that it was made; None if it says no time."""
    try:
        return datetime.datetime.fromisoformat(metadata.get(key, ""))
    except ValueError:
        return None


def turned_degrees(frame: av.VideoFrame) -> int:
    """Return the clockwise turn that makes the frame upright: 0, 90, 180 or 270."""
    return _CLOCKWISE_DEGREES[orientation_of(frame)]


def orientation_of(frame: av.VideoFrame) -> int:
    """Return the EXIF orientation of the frame's display matrix; 1 for none or an oblique one."""
    try:
        if "DISPLAYMATRIX" not in frame.side_data:
            return UPRIGHT
    except ValueError:  # beside it is something that PyAV has no name for, such as EXIF
        return _UNMIRRORED.get(-frame.rotation % 360, UPRIGHT)
    side_data = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]  # PyAV's stub knows few keys
    matrix = np.frombuffer(bytes(side_data), np.int32)
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    unit = max(abs(a), abs(b), abs(c), abs(d), 1)
    return _ORIENTATIONS.get((round(a / unit), round(b / unit), round(c / unit), round(d / unit)), UPRIGHT)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
