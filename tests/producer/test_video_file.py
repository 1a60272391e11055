"""A video's frames arrive in the order of presentation, with times, upright; no other file is read."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.footage import make_file
from tests.fakes.numbered_pictures import FRAMES, number_of, numbered

from frametally.errors import Poison
from frametally_producer.reading import video_file
from frametally_producer.reading.pixels import square_size_px
from frametally_producer.reading.video_file import Video, open_video
from frametally_producer.reading.whole_pictures import WholePictures

MAX_PIXELS = 1_000_000


def read(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[list[tuple[int, int]], list[str]]:
    """(index, offset in ms) of each frame, and the damage."""
    with path.open("rb") as file, open_video(file, max_pixels=max_pixels) as video:
        return [(frame.frame_index, frame.offset_ms) for frame in video.frames()], video.damage


def first_pixels(path: Path) -> np.ndarray:
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        return video.pixels(next(video.frames()).frame)


def red_corner(pixels: np.ndarray) -> str:
    height, width = pixels.shape[:2]
    for name, y, x in (
        ("top left", 0, 0),
        ("top right", 0, 1),
        ("bottom left", 1, 0),
        ("bottom right", 1, 1),
    ):
        b, g, r = (int(v) for v in pixels[height // 4 + y * height // 2, width // 4 + x * width // 2])
        if r > 150 and g < 100 and b < 100:
            return name
    return "none"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mpeg4"),
        ("a.mp4", "libx264"),
        ("a.mov", "mpeg4"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx"),
        ("a.avi", "mpeg4"),
        ("a.wmv", "wmv2"),
        ("a.flv", "flv1"),
    ],
)
def test_frames_of_every_container_have_their_index_and_time(
    make_video: Callable[..., Path], name: str, codec: str
) -> None:
    frames, damage = read(make_video(name, 10, codec=codec))
    assert frames == [(index, index * 100) for index in range(10)]
    assert damage == []


@pytest.mark.parametrize("name", ["a.mpg", "a.ts", "a.m2ts"])
def test_mpeg_streams_are_read_too(make_video: Callable[..., Path], name: str) -> None:
    frames, damage = read(make_video(name, 10, codec="mpeg2video", fps=25))
    assert frames == [(index, index * 40) for index in range(10)]
    assert damage == []


def test_times_come_from_presentation_and_not_from_a_rate(make_video: Callable[..., Path]) -> None:
    frames, _ = read(make_video("uneven.mkv", [0, 33, 66, 500, 501, 2000]))
    assert [offset for _, offset in frames] == [0, 33, 66, 500, 501, 2000]


def test_a_video_whose_first_time_is_not_zero_starts_at_its_own_start(
    make_video: Callable[..., Path],
) -> None:
    path = make_video("late.mkv", [700, 800, 900])
    with path.open("rb") as file, av.open(file) as container:
        assert container.streams.video[0].start_time == 700
    frames, _ = read(path)
    assert [offset for _, offset in frames] == [0, 100, 200]


def test_times_rise_even_in_a_container_without_presentation_order(make_video: Callable[..., Path]) -> None:
    path = make_video("reordered.avi", 12, codec="libx264")
    with path.open("rb") as file, av.open(file) as container:
        stated = [frame.pts for frame in container.decode(video=0)]
    assert stated != sorted(stated), "this file does not show what the test is about"
    offsets_ms = [offset for _, offset in read(path)[0]]
    assert offsets_ms == sorted(set(offsets_ms))
    assert all(abs(offset - index * 100) <= 300 for index, offset in enumerate(offsets_ms))


class FrameStub:
    """A decoded frame with a test's times."""

    def __init__(self, pts: int | None, duration: int) -> None:
        self.pts = pts
        self.duration = duration
        self.is_corrupt = self.key_frame = False


@pytest.mark.parametrize(
    ("times", "duration", "offsets"),
    [
        ([0, None, None, 400], 100, [0, 100, 200, 400]),  # by the duration of the frame before
        ([0, None, None], 0, [0, 100, 200]),  # by the average rate
        ([None, None], 100, [0, 100]),
        ([0, 100, 100, 50, 200], 100, [0, 100, 150, 175, 200]),  # never back, never the same twice
        ([0, 1900, 0, 100, 200], 100, [0, 1900, 2000, 2100, 2200]),  # two recordings joined
    ],
)
def test_a_frame_without_its_own_time_follows_the_one_before(
    make_video: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    times: list[int | None],
    duration: int,
    offsets: list[int],
) -> None:
    def judged(self: Video) -> Iterator[tuple[FrameStub, bool]]:
        yield from ((FrameStub(pts, duration), True) for pts in times)

    path = make_video("a.mkv", 3)
    monkeypatch.setattr(Video, "_judged", judged)
    assert [offset for _, offset in read(path)[0]] == offsets


@pytest.mark.parametrize(
    ("rotation", "corner", "size_px"),
    [
        (None, "top left", (64, 48)),
        (90, "bottom left", (48, 64)),  # counterclockwise
        (180, "bottom right", (64, 48)),
        (-90, "top right", (48, 64)),
        (45, "top left", (64, 48)),  # oblique: left unchanged
    ],
)
def test_the_containers_rotation_is_applied(
    make_video: Callable[..., Path], rotation: int | None, corner: str, size_px: tuple[int, int]
) -> None:
    pixels = first_pixels(make_video("turned.mp4", 1, rotation=rotation))
    assert red_corner(pixels) == corner
    assert (pixels.shape[1], pixels.shape[0]) == size_px
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("pixel_aspect", "rotation", "size_px"),
    [
        (Fraction(2), None, (128, 48)),  # the side with longer pixels is stretched
        (Fraction(1, 2), None, (64, 96)),
        (Fraction(2), 90, (48, 128)),
        (Fraction(101, 100), None, (64, 48)),  # almost square
        (Fraction(102, 100), None, (65, 48)),
        (Fraction(5), None, (64, 48)),  # no camera films so: not believed
    ],
)
def test_pictures_have_the_proportions_that_players_show(
    make_video: Callable[..., Path], pixel_aspect: Fraction, rotation: int | None, size_px: tuple[int, int]
) -> None:
    path = make_video("wide.mp4", 1, codec="libx264", pixel_aspect=pixel_aspect, rotation=rotation)
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        frame = next(video.frames()).frame
        pixels = video.pixels(frame)
        assert (pixels.shape[1], pixels.shape[0]) == video.picture_size_px(frame) == size_px
        assert red_corner(pixels) == ("bottom left" if rotation else "top left")


def test_a_picture_that_would_have_too_many_pixels_is_shrunk_instead() -> None:
    assert square_size_px(64, 48, Fraction(2), 6144) == (128, 48)
    assert square_size_px(64, 48, Fraction(2), 6143) == (64, 24)
    assert square_size_px(64, 48, Fraction(1, 2), 6143) == (32, 48)
    assert square_size_px(1, 48, Fraction(1, 4), 50) == (1, 48)
    assert square_size_px(64, 48, None, 10) == square_size_px(64, 48, Fraction(-1), 10) == (64, 48)


def test_creation_time_length_and_number_of_frames_are_read(make_video: Callable[..., Path]) -> None:
    path = make_video("dated.mp4", 25, metadata={"creation_time": "2026-05-01T08:00:00.5Z"})
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        [statement] = video.statements
        assert statement.moment is not None
        assert (statement.kind, statement.moment.isoformat()) == ("container", "2026-05-01T08:00:00+00:00")
        assert (video.duration_s, video.frames_stated) == (Fraction(5, 2), 25)


@pytest.mark.parametrize(
    "content",
    [
        b"ffconcat version 1.0\nfile 'other.mp4'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        b"<?xml version='1.0'?><MPD><BaseURL>other.mp4</BaseURL></MPD>",
        b"just some text",
        b"\x89PNG\r\n\x1a\n" + bytes(400),
        bytes(1000),
        b"G",
    ],
)
def test_a_file_whose_first_bytes_are_not_of_a_video_is_refused_whatever_its_name(
    make_video: Callable[..., Path], tmp_path: Path, content: bytes
) -> None:
    make_video("other.mp4")
    path = tmp_path / "innocent.mp4"
    path.write_bytes(content)
    with pytest.raises(Poison, match="does not begin like a video"):
        read(path)


@pytest.mark.parametrize("behind", [b"", bytes(8) + b"ftypisom", bytes.fromhex("1a45dfa3"), b"RIFF    AVI "])
def test_a_playlist_after_the_first_bytes_of_a_video_reads_no_other_file(
    make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: bytes
) -> None:
    make_video("other.mp4")
    path = tmp_path / "innocent.mp4"
    path.write_bytes(behind + b"\nffconcat version 1.0\nfile 'other.mp4'\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Poison):
        read(path)


def with_frames_elsewhere(movie: bytes, other: Path) -> bytes:
    """A QuickTime file that claims that its frames are in `other`, by an alias (`alis`) in `dref`."""
    target = str(other).encode()
    target += bytes(len(target) % 2)
    alias = b"alis" + bytes(14) + b"\x04disk" + bytes(35) + b"\x05other" + bytes(58 + 36)
    alias += (2).to_bytes(2, "big") + len(target).to_bytes(2, "big") + target + b"\xff\xff\0\0"
    entry = (len(alias) + 4).to_bytes(4, "big") + alias
    at = movie.index(b"url ", movie.index(b"dref")) - 4
    foreign = bytearray(movie[:at] + entry + movie[at + 12 :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        size_at = movie.index(box) - 4
        size = int.from_bytes(movie[size_at : size_at + 4], "big") + len(entry) - 12
        foreign[size_at : size_at + 4] = size.to_bytes(4, "big")
    return bytes(foreign)


def test_a_movie_whose_frames_are_in_another_file_shows_none_of_them(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    other = make_video("other.mov", 5)
    path = tmp_path / "innocent.mov"
    path.write_bytes(with_frames_elsewhere(other.read_bytes(), other))
    trusting = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(path), container_options=trusting) as container:
        assert len(list(container.decode(video=0))) == 5, "this file does not show what the test is about"
    assert read(path)[0] == []
    suspicious = trusting | {"protocol_whitelist": "none"}
    with path.open("rb") as file, av.open(file, container_options=suspicious) as container:
        assert list(container.decode(video=0)) == []


def test_a_truncated_video_gives_its_frames_and_reports_the_damage(make_video: Callable[..., Path]) -> None:
    path = make_video("whole.mkv", 60, codec="libx264", size_px=(320, 240))
    whole, _ = read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    half, damage = read(path)
    assert 0 < len(half) < len(whole)
    assert half[:-8] == whole[: len(half) - 8]  # the decoder may lack references of its last frames
    assert any("of 6.0 s" in line for line in damage)


def test_a_video_with_damaged_bytes_gives_the_frames_around_them_and_reports_the_damage(
    make_video: Callable[..., Path],
) -> None:
    path = make_video(
        "spoilt.mp4", 60, codec="libx264", size_px=(320, 240), options={"movflags": "faststart", "g": "10"}
    )
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(0).integers(0, 256, 2000, np.uint8).tobytes()
    path.write_bytes(data)
    frames, damage = read(path)
    assert frames[0] == (0, 0)
    assert frames[-1][1] >= 5000, "the frames behind the damage are missing"
    assert any("damaged" in line for line in damage)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "options"),
    [("spoilt.mp4", {"bf": "0"}), ("reordered.mp4", {"bf": "3"}), ("gone.ts", {"bf": "0"})],
)
def test_no_frame_that_depends_on_a_damaged_one_is_returned(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    """The decoder may not notice that the damaged frame itself is damaged."""
    path = make_file(tmp_path / name, numbered(), codec_options={"g": "20", "crf": "14"} | options)
    data = path.read_bytes()
    damages = range(3, 10, 2)
    for at in damages:
        place = len(data) // 188 * at // 10 * 188
        if name == "gone.ts":
            data = data[:place] + data[place + 10 * 188 :]
        else:
            data = data[:place] + bytes(range(256)) * 4 + data[place + 1024 :]
    path.write_bytes(data)
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        numbers = [number_of(video.pixels(frame.frame)) for frame in video.frames()]
    assert FRAMES // 2 < len(numbers) < FRAMES
    assert numbers.count(None) <= len(damages)
    assert any("depends on a damaged one" in line for line in video.damage)


@pytest.mark.thorough
def test_a_stream_without_marked_key_frames_starts_with_a_picture_that_is_not_predicted(
    tmp_path: Path,
) -> None:
    path = make_file(tmp_path / "one.ts", numbered(60), codec_options={"g": "20", "bf": "0"})
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        pictures = WholePictures(stream, begins_whole=False)
        numbers = []
        for number, packet in enumerate(container.demux(stream)):
            pictures.pass_over(packet, is_key=False)
            if number == 25:
                pictures.note_damage()
            numbers += [
                number_of(frame.to_ndarray(format="bgr24"))
                for frame in stream.decode(packet)
                if pictures.is_whole(frame)
            ]
    assert numbers == [*range(25), *range(40, 60)]


@pytest.mark.thorough
def test_joined_recordings_lose_no_frame(tmp_path: Path) -> None:
    recording = make_file(tmp_path / "one.ts", numbered(), codec_options={"g": "20", "bf": "0"}).read_bytes()
    path = tmp_path / "two.ts"
    path.write_bytes(recording * 2)
    frames, damage = read(path)
    assert (len(frames), damage) == (2 * FRAMES, [])
    assert [ms for _, ms in frames] == [40 * number for number in range(2 * FRAMES)]


@pytest.mark.thorough
def test_a_failing_reader_ends_the_video_with_every_frame_read_so_far(
    make_video: Callable[..., Path],
) -> None:
    data = make_video("whole.mkv", 60, codec="libx264", size_px=(320, 240), noise=True).read_bytes()

    class FailingDisk(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > len(data) // 2:
                raise OSError(5, "Input/output error")
            return super().read(size)

    packets = 0
    with av.open(FailingDisk(data)) as container, pytest.raises(OSError, match="Input/output error"):
        for packet in container.demux(video=0):
            packets += packet.size > 0
    assert 10 < packets < 60
    with open_video(FailingDisk(data), max_pixels=MAX_PIXELS) as video:
        assert len(list(video.frames())) == packets, "some were left in the decoder"
        assert any("reading it stopped (Input/output error)" in line for line in video.damage)


@pytest.mark.parametrize("part", [0.02, 0.5])
def test_an_mp4_truncated_before_its_index_cannot_be_opened(
    make_video: Callable[..., Path], part: float
) -> None:
    path = make_video("cut.mp4", 20)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(Poison, match="the recording was never ended"):
        read(path)


def test_a_video_with_too_many_pixels_a_frame_is_refused_before_decoding(
    make_video: Callable[..., Path],
) -> None:
    with pytest.raises(Poison, match="64x48 pixels per frame") as refused:
        read(make_video(), max_pixels=3000)
    assert "FRAMETALLY_MAX_IMAGE_MEGAPIXELS" in str(refused.value)


def test_frames_too_large_to_find_their_size_are_damage_that_names_the_limit(
    make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_file, "_ROUNDING_PIXELS", 0)
    frames, damage = read(make_video(), max_pixels=3000)
    assert frames == []
    assert any("more pixels than FRAMETALLY_MAX_IMAGE_MEGAPIXELS" in line for line in damage)


def test_frames_may_grow_to_a_cameras_usual_size_but_not_to_the_largest_picture(
    make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_file, "_GROWN_PIXELS", 640 * 480)
    small = make_video("small.ts", 10, codec="mpeg2video", fps=25).read_bytes()
    for size_px, least, most in [((640, 480), 16, 20), ((656, 480), 1, 10)]:
        other = make_video("other.ts", 10, codec="mpeg2video", fps=25, size_px=size_px)
        large = len(read(other, 50_000_000)[0])
        assert large == 10, "its first size is allowed, whatever it is"
        other.write_bytes(small + other.read_bytes())
        frames, damage = read(other, 50_000_000)
        assert least <= len(frames) <= most
        assert any("damaged" in line for line in damage) == (most == 10)


def test_frames_that_grow_too_large_within_a_video_are_left_out(make_video: Callable[..., Path]) -> None:
    small = make_video("small.ts", 10, codec="mpeg2video", fps=25)
    large = make_video("large.ts", 10, codec="mpeg2video", fps=25, size_px=(1280, 960))
    small.write_bytes(small.read_bytes() + large.read_bytes())
    assert len(read(small, 2 * MAX_PIXELS)[0]) > 15
    frames, damage = read(small, MAX_PIXELS)
    assert 0 < len(frames) <= 10
    assert any("damaged" in line for line in damage)


@pytest.mark.parametrize("cover", [False, True])
def test_a_sound_file_is_not_a_video_even_with_a_cover(tmp_path: Path, cover: bool) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts = 0
            container.mux(picture.encode(frame))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with path.open("rb") as file, av.open(file) as container:
        assert len(container.streams.video) == cover
    with pytest.raises(Poison, match="no moving pictures"):
        read(path)


def test_pictures_in_an_unknown_codec_are_refused_with_the_remedy(make_video: Callable[..., Path]) -> None:
    path = make_video("future.mp4", 5, codec="libx264")
    path.write_bytes(path.read_bytes().replace(b"avc1\0", b"zzzz\0"))
    with pytest.raises(Poison, match="convert it"):
        read(path)


def test_a_title_in_a_foreign_encoding_does_no_harm(make_video: Callable[..., Path]) -> None:
    path = make_video("a.mkv", 5, metadata={"title": "Grusse aus"})
    data = path.read_bytes()
    assert data.count(b"Grusse") == 1
    path.write_bytes(data.replace(b"Grusse", b"Gr\xfc\xdfe\xff"))
    assert len(read(path)[0]) == 5


def test_ffmpeg_is_given_the_container_so_it_never_guesses_or_opens_anything_else(
    make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    path = make_video("a.mkv")
    real_open = av.open

    def spy(*arguments: object, **options: object) -> object:
        told.append((options["format"], options["container_options"]))
        return real_open(*arguments, **options)

    monkeypatch.setattr(av, "open", spy)
    read(path)
    assert told == [("matroska", {"protocol_whitelist": "none"})]


PLACES_S = st.lists(st.fractions(0, 6, max_denominator=30), max_size=12)


@pytest.mark.thorough
@given(PLACES_S)
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_position_gives_the_frame_on_screen_there_in_any_order_of_requests(
    make_video: Callable[..., Path], places_s: list[Fraction]
) -> None:
    path = make_video("b.mp4", 50)
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        shown = [frame and frame.time for frame in video.glimpses(places_s, most_decoded=60)]
    assert shown == [pytest.approx(min(int(place_s * 10), 49) / 10) for place_s in places_s]


def test_neighbouring_positions_are_decoded_once(
    make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    every = Video._decoded

    def counted(video: Video) -> Iterator[av.VideoFrame]:
        for frame in every(video):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(Video, "_decoded", counted)
    path = make_video("one-group.mp4", 50, codec="libx264")
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        places_s = [Fraction(number, 10) for number in range(50)]
        assert len(list(video.glimpses(places_s, most_decoded=60))) == 50
    assert len(decoded) == 50
