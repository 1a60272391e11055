"""Reads the frames of a video in presentation order, each with its time, and turns them upright."""

from __future__ import annotations

import errno
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from io import BufferedReader
from typing import NamedTuple, cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally.files.value_ranges import ValueRange
from frametally.process.reports import plural
from frametally_producer.reading.containers import HEAD_BYTES, container_format, not_opened
from frametally_producer.reading.depth import eight_bit_frame
from frametally_producer.reading.footage import WithoutPackedHeaders, lacks_rate
from frametally_producer.reading.pixels import UPRIGHT, square_size_px, upright
from frametally_producer.reading.sampling import PresentationTimes
from frametally_producer.reading.time_statements import container_statements
from frametally_producer.reading.whole_pictures import WholePictures, prepare_decoder

FFMPEG_TIME_BASE = Fraction(1, 1_000_000)
_ONE_LENGTH = ("matroska", "flv", "asf")
"""Containers that state one length for all their tracks."""


_DEFAULT_PIXELS = 5_000_000
_COVER_PART = 10
"""A track shorter than this part of another (a tenth) is a cover or a preview, whatever its size."""
_RATES = 0.001, 100_000.0
_RATE_PART = 20
"""Rates that differ by less than this part (a twentieth) are the same."""


class VideoTrack(NamedTuple):
    """A video track.

    Attributes:
        number: Its number among the file's video tracks, from 1.
        tracks: The number of the file's video tracks.
        is_usual: Whether it is the default track.
        tracks_left: A message about the other tracks, or empty if it is the only one.
    """

    number: int
    tracks: int
    stream: VideoStream
    is_usual: bool
    tracks_left: str


def choose_track(container: av.container.InputContainer, number: int | None) -> VideoTrack:
    """Return video track `number`, by default the one that FFmpeg would choose for a copy of the file.

    FFmpeg chooses the track with the most pixels, where the mark "default" is worth five million, and the
    first of equals; it skips tracks without packets. Here, covers are skipped as well. Attached pictures,
    such as album art, do not count as tracks.

    Raises `Poison` if there is no such track.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise Poison("has no moving pictures; give a video that has some")
    if number is not None and not 1 <= number <= len(streams):
        has = f"{len(streams)} video track" + ("s" if len(streams) > 1 else "")
        raise Poison(f"has {has} and no track {number}; choose another --track")
    ends_s = [_end_s(container, stream) for stream in streams]
    longest_s = max((end_s for end_s in ends_s if end_s is not None), default=Fraction(0))

    def score(index: int) -> tuple[bool, bool, int]:
        stream, end_s = streams[index], ends_s[index]
        is_cover = end_s is not None and end_s * _COVER_PART < longest_s
        is_default = bool(stream.disposition & Disposition.default)
        return stream.codec_context is not None, not is_cover, _pixels(stream) + is_default * _DEFAULT_PIXELS

    usual = max(range(len(streams)), key=score)
    chosen = usual if number is None else number - 1
    other_indexes = [index for index in range(len(streams)) if index != chosen]
    tracks_left = ""
    if other_indexes:
        names = ", ".join(f"track {index + 1} ({_size(streams[index])})" for index in other_indexes)
        number_text = str(other_indexes[0] + 1) if len(other_indexes) == 1 else "N"
        tracks_left = (
            f"has {len(streams)} video tracks; frametally counts track {chosen + 1} "
            f"({_size(streams[chosen])}); to count {names}, run `frametally produce` with --track "
            f"{number_text} --source NAME"
        )
    return VideoTrack(chosen + 1, len(streams), streams[chosen], chosen == usual, tracks_left)


def _pixels(stream: VideoStream) -> int:
    return stream.codec_context.width * stream.codec_context.height if stream.codec_context else 0


def _size(stream: VideoStream) -> str:
    context = stream.codec_context
    return f"{context.width}x{context.height}" if context else "unknown codec"


def _end_s(container: av.container.InputContainer, stream: VideoStream) -> Fraction | None:
    """Return about when a track ends in seconds, or None if it does not state it."""
    return stated_length_s(container, stream) or _tagged_end_s(stream)


def _tagged_end_s(stream: VideoStream) -> Fraction | None:
    """Return when a track of a Matroska file ends in seconds, by its statistics, or None."""
    ends_at = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if ends_at is None:
        return None
    hours, minutes, seconds = map(Fraction, ends_at.groups())
    return (hours * 60 + minutes) * 60 + seconds


def rate_remark(metadata: Mapping[str, str], fps: Fraction | None) -> str:
    """Return a message about a file that was filmed at another rate than its own, or an empty string."""
    try:
        filmed_fps = float(metadata.get("com.android.capture.fps", "0"))
    except ValueError:
        return ""
    if not fps or not _RATES[0] <= filmed_fps <= _RATES[1] or abs(filmed_fps - fps) * _RATE_PART <= fps:
        return ""
    return (
        f"states that it was filmed at {filmed_fps:.3g} frames per second, but runs at {float(fps):.3g}; to "
        f"count it in the time of life, run `frametally produce` with --speed {float(fps) / filmed_fps:.4g}"
    )


def stated_length_s(container: av.container.InputContainer, stream: VideoStream) -> Fraction | None:
    """Return the stated length of a track in seconds, or None if it does not state it."""
    time_base = stream.time_base or FFMPEG_TIME_BASE
    length_s = stream.duration * time_base if stream.duration else None
    if container.format.name in _ONE_LENGTH and len(container.streams) > 1:
        # FFmpeg may have filled in the container's length, which may be that of the sound.
        end_s = None if length_s else _tagged_end_s(stream)
        return None if end_s is None else end_s - (stream.start_time or 0) * time_base
    if length_s and _may_hide_frames(container, stream):
        return length_s
    counted_s = stream.frames / stream.average_rate if stream.frames > 0 and stream.average_rate else None
    lengths = [length for length in (length_s, counted_s) if length]
    # The container's length may be that of its sound.
    if not lengths and container.duration and len(container.streams) == 1:
        lengths.append(container.duration * FFMPEG_TIME_BASE)
    return max(lengths, default=None)


def stated_frames(container: av.container.InputContainer, stream: VideoStream) -> int | None:
    """Return about how many frames a track shows, or None if it does not state a number.

    An MP4's number includes frames that an edit list hides, or only has those of the first fragment.
    """
    rate, length = stream.average_rate, stream.duration
    if _may_hide_frames(container, stream) and stream.frames > 0 and rate and length and stream.time_base:
        return max(round(length * stream.time_base * rate), 1)
    return stream.frames if stream.frames > 0 else None


def _may_hide_frames(container: av.container.InputContainer, stream: VideoStream) -> bool:
    """Return whether an edit list may hide frames, so that a track's length counts, not their number.

    A number of frames larger than the number of bytes of the file is damaged and ignored.
    """
    return "mov" in container.format.name and stream.frames <= container.size


# A display matrix (ISO/IEC 14496-12, 6.2.2) maps a pixel (x, y) to (a x + c y, b x + d y): the signs of (a,
# b, c, d), and the equivalent EXIF orientation.
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
"""Assumed for a file that does not state its frames per second."""
# A video whose frames end this much before its stated length is truncated.
_MISSING_S, _MISSING_PART = Fraction(1), Fraction(1, 20)
_GROWN_PIXELS = 9_000_000
"""The most pixels to which a stream's frames may grow: 4096x2160, or their first size if larger."""
_ROUNDED_PX = 64  # FFmpeg rounds rows up to this
_ROUNDING_PIXELS = _ROUNDED_PX << 14


OnSound = Callable[["av.Packet[av.AudioStream]"], None]


class TimedFrame(NamedTuple):
    """A decoded frame.

    Attributes:
        frame_index: Number among the decoded frames in presentation order, from 0; repeats of standing
            pictures follow the last one.
        position_s: Presentation time from the first frame in seconds.
        offset_ms: Presentation time from the start of the stream in milliseconds, rounded down.
    """

    frame_index: int
    position_s: Fraction
    offset_ms: int
    frame: av.VideoFrame


@contextmanager
def open_video(
    file: BufferedReader, *, max_pixels: int, track: int | None = None, value_range: ValueRange | None = None
) -> Iterator[Video]:
    """Open a track of the video in `file`, by default the usual one, and no other file. Raises `Poison`."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    try:
        container = av.open(
            WithoutPackedHeaders(file),
            "r",
            format=container_format(head),
            # No protocol has this name, so external references of a container are not read.
            container_options={"protocol_whitelist": "none"},
            metadata_errors="replace",
            # This applies to the frames that FFmpeg decodes to analyse the streams.
            options={"max_pixels": str(max_pixels + _ROUNDING_PIXELS)},
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise not_opened(file, head, _reason(error)) from error
    with container:
        video = Video(container, file, max_pixels=max_pixels, track=track, value_range=value_range)
        if lacks_rate(head):
            video.doubt = f"its header has no frame rate, so frametally takes {_USUAL_FPS} frames per second"
        yield video


class Video:
    """An open video; its frames can be read once.

    Attributes:
        damage: What was wrong with it, after reading; one sentence each.
        doubt: What may be wrong with its times, or empty.
        rate_remark: A message if it states that it was filmed at another rate, or empty.
        size_px: Width and height, as stored.
        track: The chosen video track of the file.
        statements: What it states about when it was recorded, the most trusted first.
        codec: FFmpeg's name of the video codec, such as `h264`.
        sound_codecs: FFmpeg's name of the codec of each sound track, empty if unknown.
        container: The opened container, for callers that describe all of it.
        stream: The video stream, for callers that copy it.
        sound: The first sound track with a known codec, or None.
        end_s: The end of the last frame read, in seconds from the first, or None if there was none.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        file: BufferedReader,
        *,
        max_pixels: int,
        track: int | None = None,
        value_range: ValueRange | None = None,
    ) -> None:
        """Read the metadata of the track with a number, by default of the usual track."""
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
        # This limits the sizes that frames state later: larger ones count as damaged.
        most_pixels = max(-(-size[0] // _ROUNDED_PX) * _ROUNDED_PX * size[1], min(max_pixels, _GROWN_PIXELS))
        prepare_decoder(stream, max_pixels=most_pixels)
        self.statements = container_statements(container.metadata, stream.metadata)
        self.duration_s = stated_length_s(container, stream)
        self.frames_stated = stated_frames(container, stream)
        self.damage: list[str] = []
        self.doubt = ""
        self.average_fps = stream.average_rate or stream.guessed_rate
        self.rate_remark = rate_remark(container.metadata, self.average_fps)
        self.size_px = size
        self._max_pixels = max_pixels
        self._value_range = value_range
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
        """Return the first frame in the first `most_packets` packets, or None.

        `frames` does not read these packets again.
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
        """Yield the frame shown at each place, a time from the first frame in seconds.

        At most `most_decoded` frames are decoded for each place, from the previous place's frame if that is
        near, else from the last key frame before the place. If they do not reach the place, the last of them
        is yielded; None if nothing can be decoded. `frames` does not read them again.
        """
        start_s = (self.stream.start_time or 0) * self._time_base
        near = most_decoded / ((self.average_fps or _USUAL_FPS) * self._time_base)
        frames: Iterator[av.VideoFrame] = iter(())
        shown: av.VideoFrame | None = None
        ahead: av.VideoFrame | None = None  # decoded already but shown later
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

        They begin with the last key frame before the place. If that was already yielded, they begin at the
        place, if it is at most `most_passed_over` frames after the key frame. Each frame comes with whether
        it directly follows the previous one; its index counts the yielded frames. `frames` does not read them
        again.
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
        """Return the frame as `bgr_pixels` does, which raises `Poison` if FFmpeg cannot convert it."""
        aspect = self.stream.sample_aspect_ratio
        return bgr_pixels(self._reformatter, frame, aspect, self._max_pixels, self._value_range)

    def picture_size_px(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return the width and height of the picture that `pixels` returns."""
        aspect = self.stream.sample_aspect_ratio
        width_px, height_px = square_size_px(frame.width, frame.height, aspect, self._max_pixels)
        return (height_px, width_px) if orientation_of(frame) in _LYING else (width_px, height_px)

    def hear(self, on_sound: OnSound) -> None:
        """From now on, pass the packets of `sound` that are read along with the pictures to `on_sound`."""
        self._on_sound = on_sound

    def frames(self) -> Iterator[TimedFrame]:
        """Yield every whole frame that can be decoded, with its time from `PresentationTimes`."""
        # After lost packets, a decoder may give damaged pictures before whole ones that are shown earlier.
        times, times_of_all = (
            PresentationTimes(
                time_base=self._time_base, start_ticks=self.stream.start_time, rate=self.average_fps
            )
            for _ in range(2)
        )
        left_out: list[Fraction] = []
        frames, stated = 0, set[int | None]()
        for frame_index, (frame, is_whole) in enumerate(self._judged()):
            times_of_all.pass_over(frame.pts, frame.duration)
            if is_whole or frame.pts is None:
                times.pass_over(frame.pts, frame.duration)
            frames += 1
            if len(stated) < 2:
                stated.add(frame.pts)
            if is_whole:
                yield TimedFrame(frame_index, times.position_s, times.offset_ms, frame)
            else:
                left_out.append(times_of_all.position_s)
        if left_out:
            self.damage.append(
                f"{plural(len(left_out), 'frame is', 'frames are')} left out "
                f"({float(min(left_out)):.1f} s to {float(max(left_out)):.1f} s): each is damaged or "
                "depends on a damaged one"
            )
        if frames > 1 and len(stated) == 1 and None not in stated:
            self.damage.append(
                f"all of its {frames} frames state the same time, so their times are unknown; convert it "
                "with its rate (ffmpeg -r 25 -i IN OUT.mp4)"
            )
        self.end_s = times_of_all.end_s
        if self.end_s is not None:
            self._note_cut(self.end_s)

    def reopened(self) -> AbstractContextManager[Video]:
        """Open it once more, to read it from its beginning; this one cannot be read then."""
        return open_video(
            self.file, max_pixels=self._max_pixels, track=self.track.number, value_range=self._value_range
        )

    def pieces(self) -> Iterator[av.Packet[av.VideoStream]]:
        """Yield the encoded pictures in decoding order."""
        for packet in self._packets():
            if packet is not None and packet.size:
                yield packet

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Yield the whole frames."""
        return (frame for frame, is_whole in self._judged() if is_whole)

    def _judged(self) -> Iterator[tuple[av.VideoFrame, bool]]:
        """Yield frames, each with whether it is whole, and note unreadable or undecodable parts."""
        pictures = WholePictures(self.stream, begins_whole=True)
        yield from pictures.decode(self._packets())
        if pictures.damaged:
            # FFmpeg reports no size if it was not allowed to decode any frame.
            too_large = (
                "" if all(self.size_px) else ", or have more pixels than FRAMETALLY_MAX_IMAGE_MEGAPIXELS"
            )
            self.damage.append(
                f"{plural(pictures.damaged, 'of its packets is', 'of its packets are')} damaged{too_large}"
            )

    def _packets(self) -> Iterator[av.Packet[av.VideoStream] | None]:
        """Yield packets up to the end, or until reading fails; then None, for the last frames."""
        heard = [] if self._on_sound is None or self.sound is None else [self.sound]
        read_to = -1
        while True:
            try:
                for packet in self.container.demux([self.stream, *heard]):
                    if packet.stream.index == self.stream.index:  # the last, empty one has no `stream_index`
                        yield cast("av.Packet[av.VideoStream]", packet)
                    elif self._on_sound is not None and packet.size:
                        self._on_sound(cast("av.Packet[av.AudioStream]", packet))
                return
            except (av.FFmpegError, OSError) as error:
                is_foreign = error.errno == errno.EAGAIN  # FFmpeg finds no packet in some 100 kB
                if is_foreign and read_to < 0:
                    self.damage.append("a part of it is not video, such as zeros")
                if not is_foreign or self.file.tell() <= read_to:
                    self.damage.append(f"reading it stopped ({_reason(error)})")
                    yield None
                    return
                read_to = self.file.tell()

    def _note_cut(self, read_s: Fraction) -> None:
        stated_s = self.duration_s
        if stated_s is not None and stated_s - read_s > max(_MISSING_S, stated_s * _MISSING_PART):
            self.damage.append(f"its frames end at {float(read_s):.1f} s of {float(stated_s):.1f} s")


def bgr_pixels(
    reformatter: VideoReformatter,
    frame: av.VideoFrame,
    pixel_aspect: Fraction | None,
    max_pixels: int,
    value_range: ValueRange | None = None,
) -> Pixels:
    """Convert a frame upright: shape (height, width, 3), dtype uint8, channels blue, green, red.

    Its pixels are square (`square_size_px`), so the picture has the proportions that a player shows.

    Grey values of more than 8 bits become black and white as `value_range` says.

    Raises:
        Poison: FFmpeg cannot convert it, or it would be dark with 8 bits.
    """
    width_px, height_px = square_size_px(frame.width, frame.height, pixel_aspect, max_pixels)
    try:
        shallow = eight_bit_frame(frame, value_range)
        bgr = reformatter.reformat(shallow, width_px, height_px, "bgr24").to_ndarray()
    except (av.FFmpegError, ValueError) as error:
        raise Poison(f"cannot be converted ({_reason(error)})") from error
    return upright(np.asarray(bgr, np.uint8), orientation_of(frame))


def shown_size_px(frame: av.VideoFrame) -> tuple[int, int]:
    """Return the width and height of the upright frame, in its own pixels, which need not be square."""
    return (frame.height, frame.width) if orientation_of(frame) in _LYING else (frame.width, frame.height)


def turned_degrees(frame: av.VideoFrame) -> int:
    """Return the clockwise turn that makes the frame upright: 0, 90, 180 or 270."""
    return _CLOCKWISE_DEGREES[orientation_of(frame)]


def orientation_of(frame: av.VideoFrame) -> int:
    """Return the EXIF orientation of the frame's display matrix; 1 for none or an oblique one."""
    try:
        # `frame.side_data` would refer to the frame and the frame to it, which keeps both in memory.
        side_data = SideDataContainer(frame)  # type: ignore[call-arg]  # PyAV's stub lacks its `__init__`
    except ValueError:  # other side data, such as EXIF, has no name in PyAV
        return _UNMIRRORED.get(-frame.rotation % 360, UPRIGHT)
    if "DISPLAYMATRIX" not in side_data:
        return UPRIGHT
    matrix = np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32)
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    unit = max(abs(a), abs(b), abs(c), abs(d), 1)
    return _ORIENTATIONS.get((round(a / unit), round(b / unit), round(c / unit), round(d / unit)), UPRIGHT)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
