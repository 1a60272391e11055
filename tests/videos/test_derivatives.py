"""Artifacts of a video decode to the end, are as long, are upright, and match the formula."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.said import Said
from tests.fakes.shapes import COPIED, FPS, SHAPES, Shape, make_shape
from tests.kit.clips import MakeFile
from tests.videos.video_records import make_facts, make_video

from frametally import keys
from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Misconfigured, Poison
from frametally.process.retrying import GivenUp, Patience
from frametally.records import decode
from frametally.settings.loading import Settings, load_settings
from frametally_producer.reading.video_file import Video, open_video
from frametally_videos.jobs import derivative_jobs
from frametally_videos.jobs.derivative_jobs import DerivativeMaker
from frametally_videos.jobs.job_call import JobCall
from frametally_videos.library.video_looks import frame_picture
from frametally_videos.media_records import Derivative, DerivativeKind, Enhancement
from frametally_videos.upload_refusals import FieldRefused, Refused

FRAME_S = 1 / FPS


class Shop:
    """A store in memory, and the artifacts of one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.overrides: dict[str, Any] = {"min_free_disk_mb": 0}
        self.progress = Said()
        self.stop_after: int | None = None

    def maker(self, path: Path, **facts: Any) -> DerivativeMaker:
        record = self.record = make_video(facts=make_facts(**facts), size_bytes=path.stat().st_size)
        self.store.put(keys.original_key(record.id), path.read_bytes(), if_absent=True)

        @contextmanager
        def opened() -> Iterator[Video]:
            with path.open("rb") as file, open_video(file, max_pixels=50_000_000) as video:
                yield video

        asked = 0

        def should_stop() -> bool:
            nonlocal asked
            asked += 1
            return self.stop_after is not None and asked > self.stop_after

        settings = load_settings("producer", data_dir=self.folder / "data", **self.overrides)
        patience = Patience(lambda line: None, should_stop)
        return DerivativeMaker(JobCall(record, "", settings, self.store, self.progress, patience), opened)

    def stored(self) -> list[str]:
        """The keys of all that was made."""
        return [info.key for info in self.store.list("") if keys.parse_original_key(info.key) is None]

    def make(self, path: Path, asked: Enhancement | None = None, **facts: Any) -> tuple[Derivative, Path]:
        kind: DerivativeKind = "playable" if asked is None else "enhanced"
        artifact = self.maker(path, **facts).make(kind, asked)
        derivative = decode(self.store.get(artifact.key.replace(".mp4", ".json")), Derivative)
        assert (artifact.key, artifact.size_bytes) == (derivative.file_key, derivative.size_bytes)
        made = self.folder / f"{derivative.recipe}.mp4"
        made.write_bytes(self.store.get(artifact.key))
        assert made.stat().st_size == derivative.size_bytes
        assert list((self.folder / "data" / "tmp").iterdir()) == []
        return derivative, made


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def frames_of(path: Path) -> list[tuple[float, np.ndarray]]:
    """Each frame's time and its luminance as stored, for a file that must decode without errors."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [
            (float(frame.time), frame.to_ndarray(format="gray").astype(float))
            for frame in container.decode(stream)
        ]


def times_of(path: Path) -> list[float]:
    """The times of an original's frames."""
    with path.open("rb") as file, open_video(file, max_pixels=10**6) as video:
        return [float(timed.position_s) for timed in video.frames()]


def sound_of(path: Path) -> list[bytes]:
    """Packets of the first sound; in a transport stream without their headers."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    return [packet[7:] if packet[:2] in (b"\xff\xf1", b"\xff\xf9") else packet for packet in packets]


def boxes(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        yield data[at + 4 : at + 8]
        at += int.from_bytes(data[at : at + 4], "big")


@pytest.mark.thorough
@pytest.mark.parametrize("name", SHAPES)
def test_every_kind_of_video_becomes_one_that_browsers_play(shop: Shop, name: str) -> None:
    shape = SHAPES[name]
    path = make_shape(shop.folder, shape)
    derivative, made = shop.make(path)
    frames = frames_of(made)
    shown_s = times_of(path)
    assert derivative.frames == len(frames) == len(shown_s) == len(shape.shown_ms)
    assert derivative.method == ("remux" if name in COPIED else "encode")
    for (at_s, _), meant_s in zip(frames, shown_s, strict=True):
        assert at_s - frames[0][0] == pytest.approx(meant_s, abs=0.0015)
    length_s = shown_s[-1] + FRAME_S
    assert derivative.duration_s == pytest.approx(length_s, abs=FRAME_S)
    with av.open(str(made)) as container:
        stream = container.streams.video[0]
        assert (container.duration or 0) / av.time_base == pytest.approx(length_s, abs=2 * FRAME_S)
        assert len(container.streams.audio) == (1 if shape.sound else 0)
        if derivative.method == "encode":
            context = stream.codec_context
            assert (context.codec.name, context.pix_fmt, context.colorspace) == ("h264", "yuv420p", 1)
            assert context.width % 2 == context.height % 2 == 0
            assert (context.width, context.height) == (derivative.width_px, derivative.height_px)
    order = list(boxes(made.read_bytes()))
    assert order.index(b"moov") < order.index(b"mdat")


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["hevc", "h264 stream", "10 bit", "rotated"])
def test_aac_sound_is_copied_bit_by_bit(shop: Shop, name: str) -> None:
    path = make_shape(shop.folder, SHAPES[name])
    derivative, made = shop.make(path)
    assert derivative.sound == "copied"
    assert sound_of(made) == sound_of(path)


@pytest.mark.parametrize("name", ["ac3 sound", "mjpeg", "mpeg2 stream", "vp9"])
def test_other_sound_is_encoded_at_the_same_length(shop: Shop, name: str) -> None:
    path = make_shape(shop.folder, SHAPES[name])
    derivative, made = shop.make(path)
    assert derivative.sound == "encoded"
    with av.open(str(made)) as container:
        samples = np.concatenate(
            [frame.to_ndarray()[0] for frame in container.decode(audio=0)], dtype=np.float64
        )
        assert container.streams.audio[0].codec_context.name == "aac"
        rate_hz = container.streams.audio[0].codec_context.sample_rate
    assert len(samples) / rate_hz == pytest.approx(2.0, abs=0.1)
    middle = samples[len(samples) // 4 : len(samples) // 2]
    assert np.sqrt((middle**2).mean()) == pytest.approx(8000 / 32768 / np.sqrt(2), rel=0.1)


def test_a_sideways_video_is_turned_upright(shop: Shop) -> None:
    path = make_shape(shop.folder, SHAPES["rotated"])
    derivative, made = shop.make(path)
    assert (derivative.width_px, derivative.height_px) == (96, 128)
    with path.open("rb") as file, open_video(file, max_pixels=10**6) as video:
        first = next(video.frames())
        meant = video.pixels(first.frame)
    with av.open(str(made)) as container:
        shown = next(container.decode(video=0))
        assert "DISPLAYMATRIX" not in shown.side_data
        assert np.abs(shown.to_ndarray(format="bgr24").astype(int) - meant).mean() < 8


def test_interlaced_pictures_are_deinterlaced(shop: Shop) -> None:
    path = make_shape(shop.folder, SHAPES["interlaced"])

    def combing(video: Path) -> float:
        return float(np.mean([np.abs(p[1:-1] * 2 - p[:-2] - p[2:]).mean() for _, p in frames_of(video)]))

    _, made = shop.make(path)
    _, as_it_was = shop.make(path, Enhancement(deinterlace="off"))
    assert combing(made) < combing(path) / 3
    assert combing(as_it_was) > combing(path) / 2


@pytest.mark.thorough
def test_hdr_video_is_converted_for_ordinary_screens(shop: Shop) -> None:
    path = make_shape(shop.folder, SHAPES["hdr"])
    _, made = shop.make(path)
    with av.open(str(made)) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_trc, context.color_primaries, context.colorspace) == (1, 1, 1)
    before, after = frames_of(path), frames_of(made)
    # The picture's levels have changed as numbers, but brighter stays brighter.
    means = [float(picture[70:].mean()) for _, picture in after]
    assert means == sorted(means)
    assert abs(means[-1] - before[-1][1][70:].mean()) > 3


FORMULA = [
    Enhancement(brightness=0.1, contrast=1.2),
    Enhancement(brightness=-0.1),
    Enhancement(contrast=0.5),
    Enhancement(gamma=1.6),
    Enhancement(gamma=0.7, brightness=0.05),
]


@pytest.mark.thorough
@pytest.mark.parametrize("asked", FORMULA, ids=str)
def test_luminance_follows_the_formula(
    shop: Shop, asked: Enhancement, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(125, 25, (40, 96, 128)).clip(20, 230)
    path = _grey(shop.folder / "a.mkv", noise)
    monkeypatch.setattr(derivative_jobs, "CRF", 4)
    _, made = shop.make(path, asked)
    luminance = (np.rint(noise) - 16) / 219
    meant = np.clip(asked.contrast * (luminance - 0.5) + 0.5 + asked.brightness, 0, 1) ** (1 / asked.gamma)
    found = (np.array(_luminance(made)) - 16) / 219
    assert found.mean() == pytest.approx(meant.mean(), rel=0.02)
    assert found.std() == pytest.approx(meant.std(), rel=0.02)


def _grey(path: Path, pictures: np.ndarray) -> Path:
    """A lossless video whose luminance has these codes, in BT.709."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.height, stream.width = pictures.shape[1:]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        for index, picture in enumerate(pictures):
            codes = np.full((stream.height * 3 // 2, stream.width), 128, np.uint8)
            codes[: stream.height] = np.rint(picture)
            frame = av.VideoFrame.from_ndarray(codes, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _luminance(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]


@pytest.mark.thorough
@pytest.mark.parametrize("fps", [5.0, 10.0, 50.0, 29.97])
def test_a_changed_frame_rate_gives_the_matching_number_of_frames(shop: Shop, fps: float) -> None:
    path = make_shape(shop.folder, Shape("a.mp4", "libx264", seconds=4.0))
    derivative, made = shop.make(path, Enhancement(fps=fps))
    assert derivative.frames == len(frames_of(made)) == pytest.approx(4.0 * fps, abs=1)
    assert derivative.duration_s == pytest.approx(4.0, abs=1 / fps)


def test_saturation_noise_edges_and_local_contrast_change_as_their_options_say(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    ramp = np.linspace(90, 160, 128)[None, None, :] + rng.normal(0, 6, (10, 96, 128))
    path = _grey(shop.folder / "a.mkv", ramp)
    monkeypatch.setattr(derivative_jobs, "CRF", 4)
    plain = np.array(_luminance(shop.make(path, Enhancement())[1]), float)

    def roughness(pictures: np.ndarray) -> float:
        return float(np.abs(np.diff(pictures, axis=2)).mean())

    def made(**asked: Any) -> np.ndarray:
        return np.array(_luminance(shop.make(path, Enhancement(**asked))[1]), float)

    assert roughness(made(denoise=1.0)) < roughness(plain) * 0.6
    assert roughness(made(sharpen=1.0)) > roughness(plain) * 1.5
    assert made(local_contrast=1.0).std() > plain.std() * 1.1
    coloured = make_shape(shop.folder, Shape("b.mp4", "libx264"))
    grey = shop.make(coloured, Enhancement(saturation=0.0))[1]
    with av.open(str(grey)) as container:
        chroma = next(container.decode(video=0)).to_ndarray()[96:]
    assert np.abs(chroma.astype(int) - 128).max() <= 1


def test_a_truncated_or_damaged_video_is_converted_as_far_as_it_is_readable(shop: Shop) -> None:
    path = make_shape(shop.folder, Shape("a.mkv", "libx265", seconds=6.0, options=SHAPES["hevc"].options))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 60] = bytes(60)
    path.write_bytes(data)
    derivative, made = shop.make(path)
    assert 1 < derivative.frames == len(frames_of(made)) <= 150


def test_a_video_without_frames_gives_a_one_line_error(shop: Shop) -> None:
    path = make_shape(shop.folder, SHAPES["hevc"])
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") + 4
    data[at : at + int.from_bytes(data[at - 8 : at - 4], "big") - 8] = b"\xff" * (
        int.from_bytes(data[at - 8 : at - 4], "big") - 8
    )
    path.write_bytes(data)
    with pytest.raises(Poison, match="has no frame that can be decoded"):
        shop.make(path)
    assert list((shop.folder / "data" / "tmp").iterdir()) == []


@pytest.mark.thorough
def test_an_encoder_that_does_not_work_is_recorded_and_the_next_one_is_tried_silently(shop: Shop) -> None:
    path = make_shape(shop.folder, SHAPES["no sound"])
    for ladder, taken, tried in (
        ("libx264,mpeg4", "libx264", []),
        ("h264_nvenc,libx264,mpeg4", "libx264", ["h264_nvenc"]),
        ("h264_nvenc,h264_qsv,libx264", "libx264", ["h264_nvenc", "h264_qsv"]),
        ("h264_nvenc,no_such,aac,mpeg4", "mpeg4", ["h264_nvenc", "no_such", "aac"]),
    ):
        shop.overrides["video_encoders"] = ladder
        derivative, made = shop.make(path, Enhancement(contrast=1.1))
        assert derivative.video_encoder == taken
        assert [line.split()[0] for line in derivative.tried] == tried
        assert len(frames_of(made)) == 50
    assert shop.progress.lines == []  # a machine without a graphics card needs no workaround
    shop.overrides["video_encoders"] = "h264_nvenc,no_such"
    with pytest.raises(Misconfigured, match="no encoder in FRAMETALLY_VIDEO_ENCODERS works") as caught:
        shop.make(path, Enhancement(contrast=1.1))
    assert "\n" not in str(caught.value)


def test_a_derivative_that_would_be_too_large_is_refused_with_the_limit(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derivative_jobs, "_ALWAYS_BYTES", 3000)
    monkeypatch.setattr(derivative_jobs, "_MOST_TIMES", 0)
    path = make_shape(shop.folder, SHAPES["hevc"])
    with pytest.raises(Poison, match="3 times the original, at most 20 GB"):
        shop.make(path)
    assert shop.stored() == []


def test_a_stop_takes_effect_between_two_frames(shop: Shop) -> None:
    path = make_shape(shop.folder, SHAPES["hevc"])
    shop.stop_after = 20
    with pytest.raises(GivenUp):
        shop.make(path)
    assert shop.stored() == []
    assert list((shop.folder / "data" / "tmp").iterdir()) == []


def test_an_existing_derivative_is_kept_and_one_without_a_record_is_made_again(shop: Shop) -> None:
    path = make_shape(shop.folder, SHAPES["hevc"])
    derivative, _ = shop.make(path)
    versions = {info.key: info.version for info in shop.store.list("videos")}
    shop.make(path)
    assert {info.key: info.version for info in shop.store.list("videos")} == versions
    shop.store.delete(derivative.key)
    part = f"{derivative.file_key}.00000000.part"
    shop.store.resumable(derivative.file_key, part).append(b"half", at_byte=0)
    shop.make(path)
    assert {info.key for info in shop.store.list("videos")} == versions.keys()


def test_other_settings_make_another_derivative_and_keep_the_first(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_shape(shop.folder, SHAPES["no sound"])
    first, _ = shop.make(path, Enhancement(contrast=1.1))
    monkeypatch.setattr(derivative_jobs, "CRF", 30)
    second, _ = shop.make(path, Enhancement(contrast=1.1))
    third, _ = shop.make(path, Enhancement(contrast=1.2))
    assert len({first.recipe, second.recipe, third.recipe}) == 3
    assert len(shop.stored()) == 6


def test_the_original_stays_unchanged(shop: Shop) -> None:
    path = make_shape(shop.folder, SHAPES["hevc"])
    before = path.read_bytes()
    shop.make(path, Enhancement(gamma=2.0))
    assert path.read_bytes() == before


KEY = "videos/original"
AS_IT_IS = Enhancement()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings("producer", data_dir=tmp_path / "data")


def put(settings: Settings, data: bytes) -> None:
    FileStore(settings.store_url).put(KEY, data)


def picture(settings: Settings, position_s: float, enhancement: Enhancement = AS_IT_IS) -> np.ndarray:
    jpeg = frame_picture(settings, KEY, position_s, enhancement)
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))


def luminance(image: np.ndarray) -> np.ndarray:
    """The mean of the grey part of `make_video`'s picture, as a share of its range."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[image.shape[0] // 2 + 8 :].astype(float) / 255


@pytest.mark.thorough
def test_the_frame_at_a_position_is_the_one_shown_at_that_time(
    settings: Settings, make_video: MakeFile
) -> None:
    # The grey grows frame by frame, so it shows the time.
    put(settings, make_video("a.mkv", 40, codec="ffv1", size_px=(320, 240)).read_bytes())
    first = luminance(picture(settings, 0)).mean() * 255
    for position_s, index in ((0.1, 1), (1.99, 19), (3.9, 39), (1e9, 39)):
        shown = luminance(picture(settings, position_s)).mean() * 255
        assert abs(shown - first - 3 * index) < 1.4, position_s


@pytest.mark.thorough
def test_an_enhanced_frame_differs_as_the_formula_says(settings: Settings, make_video: MakeFile) -> None:
    put(settings, make_video("a.mkv", 20, codec="ffv1", size_px=(320, 240)).read_bytes())
    before = luminance(picture(settings, 1.0)).mean()
    for asked in (
        Enhancement(brightness=0.2),
        Enhancement(contrast=1.5),
        Enhancement(gamma=2.0),
        Enhancement(brightness=-0.05, contrast=0.7, gamma=0.8),
    ):
        meant = np.clip(asked.contrast * (before - 0.5) + 0.5 + asked.brightness, 0, 1) ** (1 / asked.gamma)
        assert luminance(picture(settings, 1.0, asked)).mean() == pytest.approx(meant, rel=0.02, abs=0.008)


@pytest.mark.thorough
def test_a_picture_of_a_sideways_video_is_upright(settings: Settings, make_video: MakeFile) -> None:
    put(settings, make_video("a.mp4", 3, size_px=(320, 240), rotation=90).read_bytes())
    shown = picture(settings, 0.1, Enhancement(local_contrast=1.0, denoise=0.5, sharpen=0.5))
    assert shown.shape == (320, 240, 3)


@pytest.mark.parametrize("position_s", [-0.1, float("nan"), float("inf")])
def test_an_invalid_position_is_refused(settings: Settings, position_s: float) -> None:
    with pytest.raises(FieldRefused) as refused:
        frame_picture(settings, KEY, position_s, AS_IT_IS)
    assert refused.value.field == "position_s"


@pytest.mark.thorough
def test_a_file_without_a_picture_gives_a_clear_error(settings: Settings, make_video: MakeFile) -> None:
    with pytest.raises(Refused, match="original is missing") as refused:
        frame_picture(settings, KEY, 0, AS_IT_IS)
    assert refused.value.status == 404
    data = bytearray(make_video("a.mp4", 3).read_bytes())
    begin = data.index(b"mdat") + 4
    data[begin : begin + 2000] = bytes(2000)
    put(settings, bytes(data[: begin + 2000]) + b"no moov")
    with pytest.raises(Refused) as unreadable:
        frame_picture(settings, KEY, 0, AS_IT_IS)
    assert unreadable.value.status == 422
