"""Records of facts about an uploaded video, and of its versions; see `records`.

Each is in the video's folder, next to the original, which never changes.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from frametally import keys
from frametally.files.names import PART
from frametally.records import Record, SealedRecord, TimeSource

CheckName = Literal[
    "black",
    "dark",
    "frozen",
    "blurred",
    "blocky",
    "cut",
    "short",
    "slow",
    "small",
    "clock",
    "repeated",
    "dropped",
]
"""Problems that a video is checked for, in this order: black or dark pictures, a frozen picture, blur, blocks
from strong compression, a missing end, too few seconds, too few frames a second, too few pixels, an
impossible or unknown event time, repeated frames, dropped frames."""

DerivativeKind = Literal["playable", "enhanced"]


class PictureStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of moving pictures; values that it does not state are None.

    Attributes:
        index: Its number in the file, from 0.
        codec: Such as `h264`.
        profile: Such as `High`.
        level: As the codec counts it, such as 40 for H.264's 4.0.
        pixel_format: FFmpeg's name, such as `yuv420p`.
        bits: Of each sample of a component.
        color_space: Matrix, such as `bt709`.
        color_transfer: Transfer characteristics, such as `smpte2084`.
        color_primaries: Such as `bt2020`.
        color_range: `tv` (limited) or `pc` (full).
        width_px: As stored, before rotation.
        height_px: As stored, before rotation.
        sample_aspect_ratio: Width to height of a pixel, such as `1:1`.
        display_aspect_ratio: Width to height of the picture, such as `16:9`.
        rotation_degrees: Clockwise turn that makes it upright: 0, 90, 180 or 270.
        frames_stated: How many it states.
        frames_counted: How many packets of it decode to a frame, by counting them.
        average_fps: Frames a second: all frames by all seconds.
        real_fps: The lowest rate that all its times fit, as FFmpeg guesses it.
        is_variable_rate: Whether its steps differ by more than a tick of its time base.
        shortest_step_s: Least time between two frames.
        longest_step_s: Most time between two frames.
        time_base: Seconds of a tick, such as `1/12800`.
        longest_gop_frames: Most frames from one key frame to the next.
        has_b_frames: Whether some are predicted from later ones.
        bit_rate_bps: Bits a second.
        start_s: Presentation time of its first frame.
        duration_s: Its length.
    """

    index: int
    codec: str
    profile: str | None
    level: int | None
    pixel_format: str | None
    bits: int | None
    color_space: str | None
    color_transfer: str | None
    color_primaries: str | None
    color_range: str | None
    width_px: int
    height_px: int
    sample_aspect_ratio: str | None
    display_aspect_ratio: str | None
    rotation_degrees: int
    frames_stated: int | None
    frames_counted: int
    average_fps: float | None
    real_fps: float | None
    is_variable_rate: bool
    shortest_step_s: float | None
    longest_step_s: float | None
    time_base: str
    longest_gop_frames: int | None
    has_b_frames: bool
    bit_rate_bps: int | None
    start_s: float | None
    duration_s: float | None


class SoundStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of sound; values that it does not state are None.

    Attributes:
        index: Its number in the file, from 0.
        codec: Such as `aac`.
        profile: Such as `LC`.
        sample_rate_hz: Samples a second.
        channels: Number of channels.
        layout: Such as `stereo`.
        language: Three letters (ISO 639).
        bit_rate_bps: Bits a second.
        duration_s: Its length.
    """

    index: int
    codec: str
    profile: str | None
    sample_rate_hz: int | None
    channels: int | None
    layout: str | None
    language: str | None
    bit_rate_bps: int | None
    duration_s: float | None


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """A named part of a video.

    Attributes:
        title: Its name.
        start_s: Where it begins, seconds from the video's start.
        end_s: Where it ends.
    """

    title: str
    start_s: float
    end_s: float


class VideoMetadata(SealedRecord, frozen=True, kw_only=True):
    """The metadata of a video (`videos/<id>/metadata.json`); never its location.

    Attributes:
        video_id: UUID4.
        sha256: Hash of the original's bytes, in hex.
        size_bytes: Size of the original.
        made_by: Version of the description, and of FFmpeg; a new version makes the metadata again.
        container: Kind of container by its first bytes, such as `mp4`.
        brands: For an MP4, its major brand, then the compatible ones.
        moov: For an MP4, whether the box that a player needs first is `first` or `last`; otherwise None.
        duration_s: Its length.
        bit_rate_bps: Bits a second, of all streams.
        created_at_ms: The container's `creation_time`, milliseconds since 1970 UTC.
        tags: Texts in it, by an allow-list of their names; never a place.
        had_location: Whether the file has a location, which stays only in the original.
        pictures: Its streams of moving pictures.
        sounds: Its streams of sound.
        others: Codec or kind of each other stream, such as `mov_text`.
        chapters: In their order.
        plays_in_browsers: Whether today's browsers play it as it is.
        why_not: Why browsers cannot play it, as one sentence; None if they can.
        started_at_ms: Event time of its first frame; None if unknown.
        time_source: The origin of that time; None if it is unknown.
        sampled_frames: Frames that the deployment's sampling takes from it; None if unknown.
    """

    video_id: str
    sha256: str
    size_bytes: int
    made_by: str
    container: str
    brands: list[str]
    moov: Literal["first", "last"] | None
    duration_s: float | None
    bit_rate_bps: int | None
    created_at_ms: int | None
    tags: dict[str, str]
    had_location: bool
    pictures: list[PictureStream]
    sounds: list[SoundStream]
    others: list[str]
    chapters: list[Chapter]
    plays_in_browsers: bool
    why_not: str | None
    started_at_ms: int | None
    time_source: TimeSource | None
    sampled_frames: int | None

    remedy: ClassVar[str] = "delete it: the next worker makes it again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.metadata_key(self.video_id)


class VideoCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check of a video.

    Attributes:
        name: Name of the check.
        passed: Whether the video is well in this; a check that fails never stops counting.
        sentence: The result as a sentence, such as `12.4 of 60.0 s are black.`
        measured: The compared number; None if it could not be measured.
        limit: The limit of the check.
        unit: Unit of both, such as `s`, `1` (a part of all), `fps`, `px`.
        spans_s: Where, from and to, seconds after the first frame; the longest hundred, in their order.
    """

    name: CheckName
    passed: bool
    sentence: str
    measured: float | None
    limit: float
    unit: str
    spans_s: list[tuple[float, float]] = []


class VideoQuality(SealedRecord, frozen=True, kw_only=True):
    """The checks of a video (`videos/<id>/quality.json`).

    Attributes:
        video_id: UUID4.
        sha256: Hash of the original's bytes, in hex.
        made_by: Version of the checks; if it changes, they are made again.
        passed: Whether all checks passed.
        checks: Each once, in the order of `CheckName`.
    """

    video_id: str
    sha256: str
    made_by: str
    passed: bool
    checks: list[VideoCheck]

    remedy: ClassVar[str] = "delete it: the next worker makes it again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.quality_of_video_key(self.video_id)

    @property
    def fails_black(self) -> bool:
        """Whether the check `black` failed, which boxes may correct; see `jobs.black_checks`."""
        return any(check.name == "black" and not check.passed for check in self.checks)


class Enhancement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The enhancement of a video; omitted numbers change nothing.

    Attributes:
        brightness: Added to luminance, in parts of its range: -1 to 1.
        contrast: Luminance's distance from the middle is multiplied by it: 0 to 4.
        gamma: Exponent 1/gamma over luminance: 0.1 to 10; above 1 dark parts become brighter.
        saturation: Colours' distance from grey is multiplied by it: 0 to 3.
        denoise: 0 to 1.
        sharpen: 0 to 1.
        local_contrast: 0 to 1.
        deinterlace: `auto`: where the video is interlaced.
        fps: Frames a second, 1 to 120; None means as they come.
    """

    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    saturation: float = 1.0
    denoise: float = 0.0
    sharpen: float = 0.0
    local_contrast: float = 0.0
    deinterlace: Literal["auto", "on", "off"] = "auto"
    fps: float | None = None


class Derivative(SealedRecord, frozen=True, kw_only=True):
    """A video that was made of another, and how (next to it, its name ending in `.json`).

    Attributes:
        video_id: UUID4 of the original.
        kind: `playable`: what browsers play; `enhanced`: better to look at.
        recipe: Eight hex digits over the original's bytes, the options, and the maker.
        enhancement: Options of an enhanced one; None of a playable one.
        method: `remux`: the pictures are the original's, bit by bit; `encode`: they were encoded again.
        video_encoder: FFmpeg's name of it, such as `libx264`; None of a remux.
        sound: Whether its sound was copied, encoded (AAC), or is missing.
        tried: Encoders that could not be used, one sentence each.
        made_by: Version of its maker, and of the FFmpeg in it.
        content_type: MIME type.
        size_bytes: Its own.
        width_px: Width of the upright picture.
        height_px: Height of the upright picture.
        frames: How many it has.
        duration_s: Its length.
    """

    video_id: str
    kind: DerivativeKind
    recipe: str
    enhancement: Enhancement | None
    method: Literal["remux", "encode"]
    video_encoder: str | None
    sound: Literal["copied", "encoded", "none"]
    tried: list[str]
    made_by: str
    content_type: str
    size_bytes: int
    width_px: int
    height_px: int
    frames: int
    duration_s: float

    remedy: ClassVar[str] = "delete it and the .mp4 with the same name: the next worker makes both again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.derivative_record_key(self.video_id, self.kind, self.recipe)

    @property
    def file_key(self) -> str:
        """The key of the video itself."""
        return keys.derivative_key(self.video_id, self.kind, self.recipe)

    def part_key(self, maker: str) -> str:
        """Return the key of a file before it is complete; each maker has a different name."""
        return f"{self.file_key}.{maker}{PART}"


class VideoArrived(Record, frozen=True, kw_only=True):
    """An accepted video, as it is announced on the log (`videos_topic`)."""

    video_id: str
    sha256: str
    source: str
    uploaded_at_ms: int
