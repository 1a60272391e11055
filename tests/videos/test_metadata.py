"""Facts about a video's bytes: compared with its decoded frames, and with `ffprobe`."""

from __future__ import annotations

import io
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.fakes import scenes
from tests.fakes.footage import CHAPTERS, PLACE, make_file, moving
from tests.fakes.remuxed import trimmed, with_tracks
from tests.videos.test_jobs import START, Shop, shop
from tests.videos.video_records import make_facts, make_video

from frametally import keys
from frametally.media.manifests import find_manifest
from frametally.records import decode_at, encode
from frametally.settings.loading import load_settings
from frametally_producer.reading.sampling import Sampler, count_taken
from frametally_producer.reading.video_file import open_video
from frametally_videos.describing.container_facts import has_location, kept_tags, read_boxes
from frametally_videos.describing.video_checks import MADE_BY as CHECKED_BY
from frametally_videos.describing.video_metadata import MADE_BY, describe
from frametally_videos.library.edits import edit_video
from frametally_videos.media_records import VideoMetadata, VideoQuality
from frametally_videos.records import VideoRecord

MAX_PIXELS = 50_000_000
KINDS = {"mp4": "mp4", "mov": "mov", "webm": "webm", "mkv": "matroska", "avi": "avi", "ts": "mpegts"}


def in_hdr(stream: Any) -> None:
    context = stream.codec_context
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1


def hevc(folder: Path) -> Path:
    return make_file(
        folder / "hevc.mp4",
        moving(50),
        codec="libx265",
        codec_options={"x265-params": "log-level=none:keyint=20"},
        sounds=[("aac", "deu"), ("aac", "eng")],
        chapters=CHAPTERS,
        metadata={"creation_time": "2026-05-01T08:00:00Z", "title": "Gate", "location": PLACE},
    )


def vp9(folder: Path) -> Path:
    quickly = {"deadline": "realtime", "cpu-used": "8"}
    return make_file(
        folder / "vp9.webm",
        moving(50),
        codec="libvpx-vp9",
        codec_options=quickly,
        sounds=[("libopus", "fra")],
    )


def av1(folder: Path) -> Path:
    return make_file(folder / "av1.mkv", moving(50), codec="libsvtav1", codec_options={"preset": "12"})


def mpeg4(folder: Path) -> Path:
    return make_file(
        folder / "mpeg4.avi", moving(50), codec="mpeg4", codec_options={"bf": "2"}, sounds=[("ac3", None)]
    )


def mpeg2(folder: Path) -> Path:
    options = {"bf": "2", "g": "12"}
    return make_file(
        folder / "mpeg2.ts", moving(50), codec="mpeg2video", codec_options=options, sounds=[("mp2", "ita")]
    )


def ten_bits(folder: Path) -> Path:
    return make_file(folder / "ten.mkv", moving(50), pix_fmt="yuv422p10le", change=in_hdr)


def interlaced(folder: Path) -> Path:
    options = {"x264-params": "tff=1", "flags": "+ilme+ildct"}
    return make_file(folder / "interlaced.mp4", moving(50), codec_options=options)


def rotated(folder: Path) -> Path:
    return make_file(folder / "rotated.mov", moving(50), rotation=-90)


def variable(folder: Path) -> Path:
    times_ms = [index * 40 + index % 3 * 9 for index in range(50)]
    return make_file(folder / "variable.mp4", moving(50), times_ms=times_ms)


def for_the_web(folder: Path) -> Path:
    options = {"bf": "0", "g": "10", "aspect": "16:9"}
    return make_file(
        folder / "web.mp4",
        moving(50),
        codec_options=options,
        container_options={"movflags": "faststart"},
        change=lambda stream: setattr(stream.codec_context, "sample_aspect_ratio", Fraction(4, 3)),
    )


MAKERS = [hevc, vp9, av1, mpeg4, mpeg2, ten_bits, interlaced, rotated, variable, for_the_web]


def metadata_of(path: Path, *, sampling: str = "5") -> VideoMetadata:
    size_bytes = path.stat().st_size
    record = make_video(facts=make_facts(container=KINDS[path.suffix[1:]]), size_bytes=size_bytes)
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        return describe(video, record, sampling=sampling)


def run(program: str, *arguments: str) -> bytes:
    """Run one of FFmpeg's programs."""
    if shutil.which(program) is None:
        if os.environ.get("FRAMETALLY_REQUIRE_FFMPEG") == "1":
            pytest.fail(f"no {program} here (Debian: apt install ffmpeg)")
        pytest.skip(f"needs {program} (Debian: apt install ffmpeg)")
    return subprocess.run([program, "-v", "error", *arguments], capture_output=True, check=True).stdout


def probe(path: Path) -> Any:
    """The output of ffprobe, with all packets and frames."""
    asked = ["-show_format", "-show_streams", "-show_chapters", "-show_frames", "-show_packets"]
    return json.loads(run("ffprobe", "-of", "json", *asked, str(path)))


def same(found: float | None, stated: str | None, *, within: float = 0.001) -> bool:
    """Whether a number equals ffprobe's, if ffprobe states it."""
    return stated is None or (found is not None and abs(found - float(Fraction(stated))) <= within)


@pytest.mark.parametrize("make", MAKERS)
def test_every_field_matches_ffprobe(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    told, found = probe(path), metadata_of(path)
    form = told["format"]
    assert found.size_bytes == int(form["size"])
    # A ms longer than in today's FFmpeg, if there are chapters.
    assert same(found.duration_s, form["duration"], within=0.0011)
    assert same(found.bit_rate_bps, form["bit_rate"], within=0.001 * float(form["bit_rate"]))
    tags = form.get("tags", {})
    if "major_brand" in tags:
        rest = tags["compatible_brands"]
        compatible = [rest[at : at + 4].strip() for at in range(0, len(rest), 4)]
        assert found.brands == list(dict.fromkeys([tags["major_brand"].strip(), *compatible]))
    assert len(found.pictures) == 1
    stated = next(stream for stream in told["streams"] if stream["codec_type"] == "video")
    picture = found.pictures[0]
    pieces = told["packets_and_frames"]
    frames = [one for one in pieces if one["type"] == "frame" and one["media_type"] == "video"]
    packets = [one for one in pieces if one["type"] == "packet" and one["codec_type"] == "video"]
    assert (picture.index, picture.codec) == (stated["index"], stated["codec_name"])
    assert picture.profile == stated.get("profile")
    assert picture.level == (stated["level"] if stated["level"] >= 0 else None)
    assert (picture.width_px, picture.height_px) == (stated["width"], stated["height"])
    assert picture.pixel_format == stated["pix_fmt"]
    assert picture.bits == int(stated.get("bits_per_raw_sample", 8))
    for ours, theirs in (
        (picture.color_space, "color_space"),
        (picture.color_range, "color_range"),
        (picture.color_transfer, "color_transfer"),
        (picture.color_primaries, "color_primaries"),
    ):
        assert ours == stated.get(theirs)
    if "sample_aspect_ratio" in stated:
        assert picture.sample_aspect_ratio == stated["sample_aspect_ratio"]
        assert picture.display_aspect_ratio == stated["display_aspect_ratio"]
    turned = next((one["rotation"] for one in stated.get("side_data_list", []) if "rotation" in one), 0)
    assert picture.rotation_degrees == -turned % 360
    assert picture.frames_stated == (int(stated["nb_frames"]) if "nb_frames" in stated else None)
    assert picture.frames_counted == len(frames)
    assert same(picture.real_fps, stated["r_frame_rate"])
    assert same(picture.start_s, stated["start_time"])
    assert same(picture.duration_s, stated.get("duration"))
    assert same(picture.bit_rate_bps, stated.get("bit_rate"), within=2) or picture.codec == "mpeg2video"
    assert picture.time_base == stated["time_base"]
    assert picture.has_b_frames == any(frame["pict_type"] == "B" for frame in frames)
    assert picture.longest_gop_frames == longest_gop([packet["flags"][0] == "K" for packet in packets])
    told_sounds = [stream for stream in told["streams"] if stream["codec_type"] == "audio"]
    assert len(found.sounds) == len(told_sounds)
    for sound, stream in zip(found.sounds, told_sounds, strict=True):
        assert (sound.index, sound.codec, sound.profile) == (
            stream["index"],
            stream["codec_name"],
            stream.get("profile"),
        )
        assert (sound.sample_rate_hz, sound.channels, sound.layout) == (
            int(stream["sample_rate"]),
            stream["channels"],
            stream["channel_layout"],
        )
        assert sound.language == stream.get("tags", {}).get("language")
        assert same(sound.bit_rate_bps, stream.get("bit_rate"))
        assert same(sound.duration_s, stream.get("duration"))
    assert [(one.title, one.start_s, one.end_s) for one in found.chapters] == [
        (one["tags"]["title"], float(one["start_time"]), float(one["end_time"])) for one in told["chapters"]
    ]


class Shown(NamedTuple):
    position_s: Fraction


def taken(sampling: str, times_s: Iterable[Fraction]) -> int:
    return sum(is_taken for _, is_taken in Sampler(sampling).sift(map(Shown, times_s)))


def longest_gop(keys: list[bool]) -> int:
    starts = [number for number, key in enumerate(keys) if key]
    return max(end - start for start, end in zip(starts, [*starts[1:], len(keys)], strict=True))


@pytest.mark.thorough
@pytest.mark.parametrize("make", MAKERS)
def test_packet_metadata_matches_the_decoded_frames(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path)
    found = metadata_of(path, sampling="7").pictures[0]
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        times_s = [frame.position_s for frame in video.frames()]
    steps = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    assert found.frames_counted == len(times_s)
    assert found.shortest_step_s == pytest.approx(float(min(steps)))
    assert found.longest_step_s == pytest.approx(float(max(steps)))
    assert found.is_variable_rate == (make is variable)
    assert found.average_fps == pytest.approx(25, rel=0.01)
    assert metadata_of(path, sampling="7").sampled_frames == taken("7", times_s)


@given(
    steps=st.lists(st.integers(1, 2000), max_size=60),
    sampling=st.sampled_from(["all", "1", "5", "7.5", "29.97", "0.1", "1000"]),
    tick_s=st.sampled_from([Fraction(1, 25), Fraction(1, 1000), Fraction(1001, 30000), Fraction(1, 10**9)]),
)
def test_the_number_of_sampled_frames_matches_the_sampling(
    steps: list[int], sampling: str, tick_s: Fraction
) -> None:
    ticks = np.cumsum([0, *steps]).astype(np.int64)
    assert count_taken(sampling, ticks, tick_s) == taken(sampling, [int(at) * tick_s for at in ticks])
    far = np.array([0, 2**61, 2**61 + 1], np.int64)
    assert count_taken(sampling, far, tick_s) == taken(sampling, [int(at) * tick_s for at in far])


def test_the_counted_track_is_described_first(tmp_path: Path) -> None:
    cover = make_file(tmp_path / "cover.mp4", moving(1, (160, 90)), fps=5)
    film = make_file(tmp_path / "film.mp4", moving(40), fps=5)
    found = metadata_of(with_tracks(tmp_path / "both.mp4", cover, film))
    assert [(one.index, one.frames_counted) for one in found.pictures] == [(1, 40), (0, 1)]
    assert (found.sampled_frames, found.plays_in_browsers) == (40, False)


@pytest.mark.thorough
def test_the_index_of_an_mp4_is_found_at_the_end_or_the_start(tmp_path: Path) -> None:
    assert metadata_of(for_the_web(tmp_path)).moov == "first"
    assert metadata_of(rotated(tmp_path)).moov == "last"
    assert metadata_of(rotated(tmp_path)).brands == ["qt"]
    assert metadata_of(av1(tmp_path)).moov is None
    assert metadata_of(av1(tmp_path)).brands == []
    # Boxes of 64 bits, of a size that reaches to the end, and of an impossible one.
    large = b"\0\0\0\1wide" + (24).to_bytes(8, "big") + bytes(8)
    for boxes, moov in (
        (large + b"\0\0\0\0moov", "first"),
        (b"\0\0\0\0mdat", "last"),
        (b"\0\0\0\3mdai", "last"),
    ):
        assert read_boxes(io.BufferedReader(io.BytesIO(boxes))) == ([], moov)


def test_a_truncated_file_is_described_as_far_as_it_goes(tmp_path: Path) -> None:
    path = make_file(tmp_path / "cut.mkv", moving(50), codec_options={"g": "10", "bf": "0"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        decoded = sum(1 for _ in video.frames())
    found = metadata_of(path).pictures[0]
    assert 5 < found.frames_counted < 45
    assert abs(found.frames_counted - decoded) <= 1


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mov"])
def test_only_frames_hidden_by_an_edit_list_are_left_out_of_the_count(tmp_path: Path, name: str) -> None:
    options = {"g": "20", "bf": "2"}
    whole = make_file(tmp_path / "whole.mp4", moving(80), fps=10, codec_options=options)
    path = trimmed(tmp_path / name, whole, Fraction(31, 10))
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        stated, decoded = video.frames_stated, sum(1 for _ in video.frames())
        assert video.damage == []
    found = metadata_of(path).pictures[0]
    assert (stated, decoded, found.frames_counted) == (49, 49, 49)
    assert found.longest_gop_frames == 20


def test_frames_before_the_first_key_frame_are_not_counted(tmp_path: Path) -> None:
    path = make_file(tmp_path / "on.ts", moving(60), codec_options={"g": "20", "bf": "0"})
    data = path.read_bytes()
    path.write_bytes(data[188 * (len(data) // 188 // 10) :])
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        decoded = sum(1 for _ in video.frames())
    assert decoded < 60
    assert metadata_of(path).pictures[0].frames_counted == decoded


@pytest.mark.thorough
def test_vp8_pictures_that_are_never_shown_are_not_counted(tmp_path: Path) -> None:
    path = tmp_path / "vp8.webm"
    for number in "12":  # only after a complete look
        passes = ["-pass", number, "-passlogfile", str(tmp_path / "log")]
        options = ["-c:v", "libvpx", "-b:v", "100k", "-auto-alt-ref", "1", "-lag-in-frames", "25"]
        source = ["-f", "lavfi", "-i", "testsrc=s=160x120:r=25:d=6"]
        run("ffmpeg", "-y", *source, *options, *passes, str(path))
    with av.open(str(path)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) > 150
    found = metadata_of(path).pictures[0]
    assert (found.frames_counted, found.average_fps, found.is_variable_rate) == (150, 25.0, False)


def test_values_that_depend_on_jumping_times_are_unknown(tmp_path: Path) -> None:
    one = make_file(tmp_path / "one.ts", moving(60), codec="mpeg2video").read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(one + one)
    found = metadata_of(path)
    assert found.sampled_frames is None
    assert (found.pictures[0].frames_counted, found.pictures[0].is_variable_rate) == (120, True)
    assert found.pictures[0].longest_step_s is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("com.apple.quicktime.location.ISO6709", PLACE),
        ("location-eng", "Munich"),
        ("xyz", PLACE),
        ("GPSInfo/GPSLatitude", "48"),
        ("comment", f"filmed at {PLACE}"),
        ("title", "+481234.5+0113412.25/"),
    ],
)
def test_a_tag_with_a_location_is_noticed_and_not_kept(name: str, value: str) -> None:
    assert has_location([{}, {name: value}])
    assert kept_tags({name: value, "make": "Axis"}) == {"make": "Axis"}


def test_usual_tags_contain_no_location_and_only_listed_ones_are_kept() -> None:
    texts = {"title": "Gate 2026-05-01T08:00:00+02:00", "ENCODER": "Lavf62", "comment": "x", "serial": "77"}
    assert not has_location([texts])
    assert kept_tags(texts) == {"title": "Gate 2026-05-01T08:00:00+02:00", "encoder": "Lavf62"}


def test_pictures_with_a_location_in_exif_are_noticed_and_can_be_decoded(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 14.19), 3: "E", 4: (11.0, 34.0, 31.0)})
    buffer = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(buffer, "JPEG", exif=exif)
    path = tmp_path / "camera.avi"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.start_encoding()
        for index in range(5):
            packet = av.Packet(buffer.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 10)
            container.mux(packet)
    found = metadata_of(path)
    assert (found.had_location, found.pictures[0].rotation_degrees) == (True, 0)
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        assert [video.pixels(frame.frame).shape for frame in video.frames()] == [(48, 64, 3)] * 5


__all__ = ["shop"]


def metadata(shop: Shop, video: VideoRecord) -> VideoMetadata:
    key = keys.metadata_key(video.id)
    return decode_at(key, shop.store.get(key), VideoMetadata)


@pytest.mark.thorough
def test_metadata_comes_from_the_videos_record_and_the_current_version(
    shop: Shop, make_video: Callable[..., Path]
) -> None:
    video = shop.upload_for("metadata", make_video("a.mp4", 20), start_time=START)
    shop.work()
    found = metadata(shop, video)
    assert (found.video_id, found.sha256, found.size_bytes) == (video.id, video.sha256, video.size_bytes)
    assert (found.made_by, found.pictures[0].frames_counted) == (MADE_BY, 20)
    assert (found.started_at_ms, found.time_source) == (video.facts.started_at_ms, "start_time")
    assert shop.made(video, "metadata").size_bytes == len(shop.store.get(found.key))


@pytest.mark.thorough
def test_metadata_of_another_version_is_replaced(shop: Shop, make_video: Callable[..., Path]) -> None:
    video = shop.upload_for("metadata", make_video("a.mp4", 20), start_time=START)
    shop.work()
    told = metadata(shop, video)
    for other in (encode(msgspec.structs.replace(told, made_by="0, FFmpeg 1.0", had_location=True)), b"{"):
        shop.store.put(told.key, other)
        shop.catalogue.queue(video.id, "metadata")
        shop.work()
        assert metadata(shop, video) == told


@pytest.mark.thorough
def test_a_time_given_later_appears_in_the_metadata(shop: Shop, make_video: Callable[..., Path]) -> None:
    video = shop.upload_for("metadata", make_video("a.mp4", 20), start_time=START)
    shop.work()
    later = edit_video(
        shop.store,
        shop.catalogue,
        load_settings("web", data_dir=shop.settings.data_dir),
        video.id,
        {"start_time": "2026-03-02T10:00:00Z"},
        name_source=lambda name: (name, name),
    )
    shop.work()
    assert metadata(shop, video).started_at_ms == later.facts.started_at_ms


@pytest.mark.thorough
def test_only_the_original_contains_the_filming_location(shop: Shop, tmp_path: Path) -> None:
    places = {"location": PLACE, "com.apple.quicktime.location.ISO6709": PLACE, "comment": f"at {PLACE}"}
    tags = {"movflags": "use_metadata_tags"}
    path = make_file(tmp_path / "a.mov", moving(20), metadata=places, container_options=tags)
    assert PLACE.encode() in path.read_bytes()
    video = shop.upload(path, start_time=START)
    shop.work()
    assert metadata(shop, video).had_location
    holding = [
        info.key for info in shop.store.list("") if b"48.1372" in shop.store.get(info.key).replace(b" ", b"")
    ]
    assert holding == [keys.original_key(video.id)]
    catalogue = shop.settings.data_dir / "catalogue.sqlite"
    assert b"48.1372" not in b"".join(
        part.read_bytes() for part in catalogue.parent.glob("catalogue.sqlite*")
    )


def quality(shop: Shop, video: VideoRecord) -> VideoQuality:
    key = keys.quality_of_video_key(video.id)
    return decode_at(key, shop.store.get(key), VideoQuality)


def test_a_video_that_fails_a_check_is_still_counted(shop: Shop, tmp_path: Path) -> None:
    video = shop.upload(make_file(tmp_path / "a.mp4", scenes.black(50)), start_time=START)
    assert shop.work().failed == []
    found = quality(shop, video)
    assert [check.name for check in found.checks if not check.passed] == ["black"]
    assert shop.made(video, "quality").size_bytes == len(shop.store.get(found.key))
    manifest = find_manifest(shop.store, video.sha256)
    assert (manifest.state, manifest.frames_announced) == ("complete", 10)
    assert shop.job(video, "checks").state == "done"


@pytest.mark.thorough
def test_each_version_reads_the_pictures_once_and_checks_the_clock_every_time(
    shop: Shop, tmp_path: Path
) -> None:
    video = shop.upload_for("checks", make_file(tmp_path / "a.mp4", scenes.street(50)), start_time=START)
    shop.work()
    found = quality(shop, video)
    assert (found.made_by, found.passed) == (CHECKED_BY, True)
    # Existing artifacts are taken as proof: the pictures are not read again.
    blurred = msgspec.structs.replace(
        found, checks=[msgspec.structs.replace(one, sentence="Seen.") for one in found.checks]
    )
    for made_by, seen in ((CHECKED_BY, 11), ("0, FFmpeg 1.0", 0)):
        shop.store.put(found.key, encode(msgspec.structs.replace(blurred, made_by=made_by)))
        shop.catalogue.queue(video.id, "checks")
        shop.work()
        assert sum(check.sentence == "Seen." for check in quality(shop, video).checks) == seen
    assert quality(shop, video) == found
