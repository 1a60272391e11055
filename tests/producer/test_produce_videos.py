"""A video's frames are stored and announced once, however a call ends and whatever is requested later."""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from tests.fakes.footage import make_file, moving, without_rate
from tests.fakes.records import make_manifest
from tests.fakes.remuxed import trimmed, with_tracks
from tests.producer.conftest import Bench

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.files.opencv import decode_image
from frametally.records import encode
from frametally.rules.times import utc

START = "2026-05-01T08:00:00+02:00"
START_MS = 1_777_615_200_000
FAST = {"movflags": "faststart"}


def set_bits(bitmap: bytes) -> list[int]:
    return [at * 8 + bit for at, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1]


def test_frames_off_the_grid_are_stored_announced_and_noted(bench: Bench) -> None:
    path = bench.video("Gate 1.mp4", 30)
    report = bench.produce(path, start_time=START)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (report.frames_announced, report.frames_known, report.skipped) == (15, 0, [])
    assert report.notices == []
    assert bench.announced() == list(range(0, 30, 2))
    for announcement in bench.log.announcements:
        captured_at_ms = START_MS + announcement.frame_index * 100
        assert announcement.image_path == keys.image_key(
            "gate-1", captured_at_ms, sha256, announcement.frame_index
        )
        assert (announcement.captured_at_ms, announcement.time_source) == (captured_at_ms, "start_time")
        assert (announcement.source, announcement.media) == ("gate-1", sha256)
        stored = bench.store.get(announcement.image_path)
        assert (announcement.bytes, announcement.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
        assert decode_image(stored, 64 * 48).shape == (announcement.height_px, announcement.width_px, 3)
    [manifest] = bench.manifests()
    assert report.media == [manifest]
    assert (manifest.sha256, manifest.name, manifest.kind) == (sha256, str(path), "video")
    assert (manifest.source, manifest.source_name) == ("gate-1", "Gate 1")
    assert (manifest.time_source, manifest.start_ms, manifest.sampling) == ("start_time", START_MS, "5")
    assert (manifest.first_captured_at_ms, manifest.last_captured_at_ms) == (START_MS, START_MS + 2800)
    assert (manifest.frames_expected, manifest.frames_put, manifest.frames_announced) == (15, 15, 15)
    assert manifest.state == "complete"
    assert set_bits(manifest.announced_frames) == bench.announced()


@pytest.mark.parametrize("name", ["gate.mp4", "gate.mkv"])
def test_a_video_whose_variable_rate_is_that_of_the_sampling_loses_no_frame(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    times_ms = [0, 190, 410, 590, 790, 1010, 1195, 1405, 1590, 1800]
    path = make_file(tmp_path / name, moving(10), times_ms=times_ms)
    assert bench.produce(path, start_time=START, sample_fps="5").frames_announced == 10
    assert [one.captured_at_ms - START_MS for one in bench.log.announcements] == times_ms


@pytest.mark.thorough
def test_duplicate_timestamps_put_no_frame_beyond_the_end_of_the_file(bench: Bench, tmp_path: Path) -> None:
    times_ms = sorted([*range(0, 60_000, 200), *range(0, 60_000, 2000)])
    plain = make_file(tmp_path / "plain.mkv", moving(330), codec="mjpeg", pix_fmt="yuvj420p")
    path = tmp_path / "doubled.mkv"
    with av.open(str(plain)) as given, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        pieces = [piece for piece in given.demux(video=0) if piece.size]
        for piece, time_ms in zip(pieces, times_ms, strict=True):
            piece.stream, piece.pts, piece.dts = stream, time_ms, time_ms
            container.mux(piece)
    assert bench.produce(path, start_time=START, sample_fps="all").frames_announced == 330
    offsets_ms = [one.captured_at_ms - START_MS for one in bench.log.announcements]
    assert len(set(offsets_ms)) == 330
    assert set(times_ms) <= set(offsets_ms)
    assert max(offsets_ms) == 59_800


def test_a_frame_is_stored_before_it_is_announced_and_announced_before_it_is_noted(bench: Bench) -> None:
    bench.produce(bench.video("gate.mp4", 20), sample_fps="all")
    done: set[str] = set()
    announced = 0
    for effect, key in bench.log.effects:
        if effect == "announce":
            assert key in done
            announced += 1
        done.add(key)
    assert announced == 20
    first, last = bench.log.effects[0], bench.log.effects[-1]
    assert first[1].startswith("media/")
    assert last[1].startswith("media/")


def test_frames_of_five_seconds_share_a_log_key(bench: Bench) -> None:
    bench.produce(
        bench.video("gate.mp4", [0, 2500, 4900, 5000, 9000, 10_000]), start_time=START, sample_fps="all"
    )
    first = START_MS // 5000
    assert bench.log.keys == [f"gate/{first + step}".encode() for step in (0, 0, 0, 1, 1, 2)]
    assert bench.log.partitions("frames") == 6


def test_the_same_file_again_announces_nothing_new(bench: Bench) -> None:
    path = bench.video("gate.mp4", 30)
    bench.produce(path)
    before = list(bench.log.effects)
    copy = path.with_name("copy.mp4")
    copy.write_bytes(path.read_bytes())
    for again in (path, copy):
        report = bench.produce(again, source="gate")
        assert (report.frames_announced, report.frames_known) == (0, 15)
        assert len(report.media) == 1
    assert bench.log.effects == before


@pytest.mark.parametrize("denser", ["10", "all", "7"])
def test_a_denser_sampling_later_announces_only_the_new_frames(bench: Bench, denser: str) -> None:
    path = bench.video("gate.mp4", 30, fps=30)
    bench.produce(path, sample_fps="5")
    coarse = bench.announced()
    report = bench.produce(path, sample_fps=denser)
    assert Counter(bench.announced()).most_common(1)[0][1] == 1
    new = bench.announced()[len(coarse) :]
    assert report.frames_announced == len(new) > 0
    [manifest] = bench.manifests()
    assert manifest.sampling == denser
    assert set_bits(manifest.announced_frames) == sorted(bench.announced())
    assert manifest.frames_expected == manifest.frames_announced == len(coarse) + len(new)


def test_a_sparser_sampling_later_announces_nothing_new(bench: Bench) -> None:
    path = bench.video("gate.mp4", 30)
    bench.produce(path, sample_fps="10")
    report = bench.produce(path, sample_fps="3")
    assert (report.frames_announced, report.frames_known) == (0, 30)
    assert bench.manifests()[0].sampling == "10"


def test_a_call_also_finishes_the_sampling_that_a_dead_call_was_asked_for(bench: Bench) -> None:
    path = bench.video("gate.mp4", 60, fps=30)
    bench.log.fail_at = 1
    with pytest.raises(BaseException, match="at a"):
        bench.produce(path, sample_fps="5")
    report = bench.produce(path, sample_fps="7")
    assert {0, 6, 12, 18, 24} <= set(bench.announced())
    assert {0, 5, 9, 13, 18} <= set(bench.announced())
    [manifest] = bench.manifests()
    assert (manifest.state, manifest.sampling) == ("complete", "7")
    assert manifest.frames_expected == len(set(bench.announced())) == report.frames_announced


def test_an_existing_frame_is_announced_as_it_is_stored(bench: Bench) -> None:
    path = bench.video("gate.mp4", 2)
    bench.log.fail_at = 1
    with pytest.raises(BaseException, match="at a"):
        bench.produce(path, sample_fps="all", jpeg_quality=30, max_side_px=32)
    bench.log.announcements.clear()
    bench.produce(path, sample_fps="all", jpeg_quality=95)
    for announcement in bench.log.announcements:
        stored = bench.store.get(announcement.image_path)
        assert decode_image(stored, 10_000).shape == (24, 32, 3)
        assert (announcement.width_px, announcement.height_px) == (32, 24)
        assert (announcement.bytes, announcement.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())


@pytest.mark.parametrize("torn", [b"", b"\xff\xd8\xff", b"not a picture"])
def test_a_partly_written_frame_left_by_a_power_cut_is_made_again(bench: Bench, torn: bytes) -> None:
    path = bench.video("gate.mp4", 1)
    key = keys.image_key("gate", START_MS, hashlib.sha256(path.read_bytes()).hexdigest(), 0)
    bench.store.put(key, torn)
    bench.produce(path, start_time=START)
    stored = bench.store.get(key)
    assert decode_image(stored, 10_000).shape == (48, 64, 3)
    assert bench.log.announcements[0].sha256 == hashlib.sha256(stored).hexdigest()


def test_frames_of_a_video_are_stored_upright_and_shrunk(bench: Bench) -> None:
    bench.produce(bench.video("turned.mp4", 1, rotation=-90), max_side_px=32)
    [announcement] = bench.log.announcements
    assert (announcement.width_px, announcement.height_px) == (24, 32)
    assert decode_image(bench.store.get(announcement.image_path), 10_000).shape == (32, 24, 3)


def test_the_containers_own_time_is_used(bench: Bench) -> None:
    path = bench.video("gate.mp4", metadata={"creation_time": "2026-05-01T06:00:00.000000Z"})
    report = bench.produce(path, file_time=False)
    [manifest] = report.media
    assert (manifest.time_source, manifest.start_ms) == ("container", START_MS)
    assert report.notices == []


def test_a_file_date_is_mentioned_and_marked(bench: Bench) -> None:
    path = bench.video("gate.mp4", 10)
    report = bench.produce(path)
    [manifest] = report.media
    assert manifest.time_source == "file_time"
    assert manifest.start_ms == 1_772_600_767_000 - 1000
    [notice] = report.notices
    assert notice.startswith(str(path))
    assert "modification date minus its length" in notice
    assert bench.progress.lines == [notice]


def test_a_video_without_a_time_is_refused_if_file_dates_are(bench: Bench) -> None:
    path = bench.video("gate.mp4")
    report = bench.produce(path, file_time=False)
    [skipped] = report.skipped
    assert skipped.name == str(path)
    assert "--start-time" in skipped.reason
    assert bench.store.effects == []
    # Once its time is known, it may be produced again without it.
    bench.log.fail_at = 1
    with pytest.raises(BaseException, match="at a"):
        bench.produce(path, start_time=START)
    assert bench.produce(path, file_time=False).skipped == []
    assert bench.manifests()[0].state == "complete"


def test_an_assumed_zone_and_a_repeated_hour_are_mentioned(bench: Bench) -> None:
    path = bench.video("gate_20261025_023000.mp4")
    report = bench.produce(path, time_pattern="gate_%Y%m%d_%H%M%S", timezone="Europe/Berlin")
    assert [line.split(": ", 1)[0] for line in report.notices] == [str(path)] * 2
    assert "was read in Europe/Berlin (--timezone)" in report.notices[0]
    assert "occurs twice" in report.notices[1]
    assert report.media[0].time_source == "file_name"


@pytest.mark.parametrize(
    ("other", "ignored", "remedy"),
    [
        (
            {"start_time": "2026-06-01T08:00:00Z", "source": "Gate"},
            "the start time 2026-06-01T08:00:00.000Z",
            "retime SHA --start-time 2026-06-01T08:00:00.000Z`",
        ),
        ({"source": "Yard"}, "the source Yard", "rename-source`"),
        ({"source": "Yard", "sample_fps": "all"}, "the source Yard", "rename-source`"),
    ],
)
def test_the_first_source_and_time_stay_and_one_line_says_what_is_ignored_and_how_to_change_it(
    bench: Bench, other: dict[str, str], ignored: str, remedy: str
) -> None:
    path = bench.video("clip.mp4", 10)
    bench.produce(path, start_time=START, source="Gate")
    copy = path.with_name("copy.mp4")
    copy.write_bytes(path.read_bytes())
    [of_copy] = bench.produce(copy, **other).notices
    assert of_copy.startswith(f"{copy} was produced before as {path}: frametally ignores {ignored}.")
    report = bench.produce(path, **other)
    [notice] = report.notices
    assert f" was produced before: frametally ignores {ignored}. All its frames, new ones too," in notice
    assert "stay in source Gate, beginning at 2026-05-01T06:00:00.000Z; to change that, run" in notice
    assert notice.endswith(f"frametally {remedy.replace('SHA', report.media[0].sha256[:12])}")
    assert report.skipped == []
    assert report.media[0].start_ms == START_MS
    assert {a.source for a in bench.log.announcements} == {"gate"}
    assert all(a.captured_at_ms < START_MS + 1000 for a in bench.log.announcements)


def test_a_weaker_time_found_later_is_not_mentioned(bench: Bench) -> None:
    path = bench.video("gate.mp4", metadata={"creation_time": "2020-01-01T00:00:00Z"})
    bench.produce(path, start_time=START)
    assert bench.produce(path).notices == []
    undated = bench.video("yard.mp4", 11)
    bench.produce(undated)
    undated.touch()
    assert bench.produce(undated).notices == []


@pytest.mark.parametrize("count", [2, 1])
def test_a_start_time_for_anything_but_one_video_is_refused(bench: Bench, count: int) -> None:
    paths = [bench.video("a.mp4"), bench.video("b.mp4")] if count == 2 else [bench.picture("a.jpg")]
    with pytest.raises(Misconfigured, match="one video at a time"):
        bench.produce(*paths, start_time=START)
    assert bench.store.effects == []


def test_a_start_time_is_allowed_for_a_folder_with_one_video(bench: Bench) -> None:
    path = bench.video("yard/a.mp4")
    assert bench.produce(path.parent, start_time=START).media[0].start_ms == START_MS


def test_wrong_arguments_are_reported_before_anything_is_done(bench: Bench) -> None:
    path = bench.video()
    for wrong in ({"start_time": "noon"}, {"time_pattern": "%H%M"}):
        with pytest.raises(Misconfigured):
            bench.produce(path, **wrong)
    with pytest.raises(Misconfigured):
        bench.log.partitions("frames")


def spoil(path: Path, kind: str) -> None:
    data = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "text": b"buy milk",
            "ffconcat": b"ffconcat version 1.0\nfile 'good.mp4'\n",
            "m3u8": b"#EXTM3U\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n",
            "cut": data[: len(data) // 3],
            "no frames": data[: data.index(b"mdat") + 4] + bytes(len(data) - data.index(b"mdat") - 4),
        }[kind]
    )


@pytest.mark.parametrize("kind", ["empty", "text", "ffconcat", "m3u8", "cut", "no frames"])
def test_a_bad_video_is_named_with_a_reason_and_leaves_no_trace_and_the_others_are_produced(
    bench: Bench, kind: str
) -> None:
    good = bench.video("footage/good.mp4", 10)
    bad = bench.video("footage/bad.mp4", 10)
    spoil(bad, kind)
    report = bench.produce(good.parent)
    [skipped] = report.skipped
    assert skipped.name == str(bad)
    assert ";" in skipped.reason, "no remedy"
    assert "\n" not in skipped.reason
    assert report.frames_announced == 5
    assert [manifest.name for manifest in bench.manifests()] == [str(good)]


@pytest.mark.parametrize("kind", ["text", "cut"])
def test_a_file_that_is_not_a_video_is_refused_before_it_is_read_whole(bench: Bench, kind: str) -> None:
    path = bench.video("gate.mp4", 10)
    bench.produce(path)
    assert "reading it for its identity" in {standing.doing for standing in bench.standings}
    bench.standings.clear()
    bad = bench.video("bad.mp4", 10)
    spoil(bad, kind)
    with bad.open("r+b") as file:
        file.truncate(1 << 28)
    [skipped] = bench.produce(bad).skipped
    assert ";" in skipped.reason, "no remedy"
    assert "reading it for its identity" not in {standing.doing for standing in bench.standings}


@pytest.mark.parametrize("name", ["still.mp4", "still.mkv", "still.avi"])
def test_a_video_without_frames_is_named_and_leaves_no_trace(bench: Bench, name: str) -> None:
    path = bench.video(name, 0)
    report = bench.produce(path)
    assert [skipped.name for skipped in report.skipped] == [str(path)]
    assert ";" in report.skipped[0].reason, "no remedy"
    assert (report.media, bench.store.effects) == ([], [])


def test_a_truncated_video_is_kept_up_to_its_end_with_a_notice(bench: Bench) -> None:
    path = bench.video("broken.mkv", 60, codec="libx264", size_px=(320, 240))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    report = bench.produce(path, sample_fps="all")
    [skipped] = report.skipped
    assert skipped.name == str(path)
    assert skipped.reason.startswith("in part: ")
    assert f"its {report.frames_announced} undamaged frames were kept" in skipped.reason
    [manifest] = report.media
    assert manifest.state == "complete"
    assert manifest.frames_expected == manifest.frames_announced == report.frames_announced > 10


def test_a_video_whose_times_leave_the_calendar_is_kept_up_to_there(bench: Bench) -> None:
    path = bench.video("late.mkv", [0, 100, 3_000_000])
    report = bench.produce(path, start_time="9999-12-30T23:50:00Z", sample_fps="all")
    assert bench.announced() == [0, 1]
    assert "years 1000 to 9999" in report.skipped[0].reason
    assert report.media[0].state == "complete"


def test_a_damaged_manifest_is_named_with_the_remedy(bench: Bench) -> None:
    path = bench.video("gate.mp4")
    key = keys.media_key(hashlib.sha256(path.read_bytes()).hexdigest())
    bench.store.put(key, b"{")
    [skipped] = bench.produce(path).skipped
    assert key in skipped.reason
    assert "delete that manifest" in skipped.reason
    no_start = make_manifest(
        0,
        media=key[6:-5],
        source="gate",
        source_name="gate",
        time_source="container",
        sampling="1",
        state="producing",
    )
    bench.store.put(key, encode(no_start))
    [skipped] = bench.produce(path).skipped
    assert "has no start time" in skipped.reason


def test_progress_names_the_video_and_never_passes_its_total(bench: Bench) -> None:
    path = bench.video("gate.mp4", 30)
    bench.produce(path)
    assert [done for done, _, _ in bench.progress.updates] == list(range(1, 16))
    assert {(total, note) for _, total, note in bench.progress.updates} == {(15, str(path))}


def test_a_store_that_permanently_refuses_stops_the_call(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str, data: bytes, **options: bool) -> bool:
        raise Misconfigured("the store cannot be written")

    monkeypatch.setattr(bench.store, "put", refuse)
    with pytest.raises(Misconfigured, match="cannot be written"):
        bench.produce(bench.video("gate.mp4"))


def test_a_frame_that_cannot_be_converted_ends_the_video_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frametally_producer.reading.video_file import Video

    whole = Video.pixels

    def pixels(self: Video, frame: object) -> object:
        if frame.pts and frame.pts * frame.time_base >= 1:
            raise Poison("cannot be converted")
        return whole(self, frame)

    monkeypatch.setattr(Video, "pixels", pixels)
    report = bench.produce(bench.video("gate.mp4", 20))
    assert report.frames_announced == 5
    assert "frame 10: cannot be converted" in report.skipped[0].reason


def test_times_more_than_a_day_apart_in_one_clip_are_reported_and_produced(bench: Bench) -> None:
    day_ms = 86_400_000
    plain = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}
    usual = bench.video("usual.mkv", [0, 100, day_ms, 2 * day_ms], **plain)
    assert bench.produce(usual, start_time=START, sample_fps="all").notices == []
    times_ms = [0, 100, 36_525 * day_ms, 36_525 * day_ms + 100, 36_530 * day_ms]
    odd = bench.video("odd.mkv", times_ms, **plain)
    report = bench.produce(odd, start_time=START, sample_fps="all", source="odd")
    [notice] = report.notices
    from_time, to_time = utc(START_MS + 100), utc(START_MS + 36_525 * day_ms)
    assert f"{odd}: its times jump from {from_time} to {to_time} (and 1 more jump); if it was not" in notice
    assert "`frametally forget`" in notice
    assert (report.frames_announced, report.skipped) == (5, [])


def test_an_avi_without_a_frame_rate_is_produced_with_a_notice_that_names_it(bench: Bench) -> None:
    usual = bench.video("usual.avi", 10, codec="mjpeg", pix_fmt="yuvj420p")
    odd = bench.folder / "odd.avi"
    odd.write_bytes(without_rate(usual.read_bytes()))
    report = bench.produce(usual, odd, sample_fps="all", source="yard")
    [notice] = [line for line in report.notices if "frame rate" in line]
    assert notice.startswith(
        f"{odd}: its header has no frame rate, so frametally takes 25 frames per second;"
    )
    assert report.frames_announced == 20


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mov", "cut.mkv"])
def test_a_clip_that_was_trimmed_between_key_frames_is_complete(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    options = {"g": "40", "bf": "2"}
    whole = make_file(tmp_path / "whole.mp4", moving(80), fps=10, codec_options=options)
    report = bench.produce(trimmed(tmp_path / name, whole, Fraction(31, 10)), sample_fps="all")
    assert report.skipped == []
    assert report.frames_announced >= 49
    assert bench.manifests()[0].frames_expected == report.frames_announced


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "sound"), [("a.mp4", "aac"), ("a.mkv", "aac"), ("a.wmv", "ac3")])
def test_sound_longer_than_the_pictures_is_not_damage(
    bench: Bench, tmp_path: Path, name: str, sound: str
) -> None:
    codec = "wmv2" if name == "a.wmv" else "libx264"
    path = make_file(tmp_path / name, moving(30), fps=10, codec=codec, sounds=[(sound, None)], sound_s=12)
    report = bench.produce(path, sample_fps="all")
    assert (report.frames_announced, report.skipped) == (30, [])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "sounds"),
    [("a.mp4", []), ("a.mp4", [("aac", None)]), ("a.mkv", []), ("a.mkv", [("aac", None)]), ("a.avi", [])],
)
@pytest.mark.parametrize("is_trimmed", [False, True])
def test_a_file_whose_end_is_missing_is_detected(
    bench: Bench, tmp_path: Path, name: str, sounds: list[tuple[str, str | None]], is_trimmed: bool
) -> None:
    options = {"g": "10", "bf": "0"}
    whole = make_file(tmp_path / name, moving(80), fps=10, codec_options=options, sounds=sounds, sound_s=9.0)
    first_box = with_tracks(tmp_path / f"web-{name}", whole, **FAST if name == "a.mp4" else {})
    path = trimmed(tmp_path / f"cut-{name}", first_box, Fraction(3, 2), **FAST) if is_trimmed else first_box
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    [skipped] = bench.produce(path, sample_fps="all").skipped
    assert "its frames end at" in skipped.reason


def test_consecutive_clips_named_in_whole_seconds_report_no_fault(bench: Bench) -> None:
    for number, second in enumerate((0, 20, 41)):
        times_ms = [index * 200 + number for index in range(103)]  # each file has different bytes
        bench.video(f"cam/cam_20260501_0800{second:02d}.mp4", times_ms, fps=5)
    clips = sorted((bench.folder / "cam").iterdir())
    for order in (clips, clips[::-1]):
        bench.store = type(bench.store)()
        reports = [
            bench.produce(clip, source="cam", time_pattern="cam_%Y%m%d_%H%M%S", sample_fps="all")
            for clip in order
        ]
        assert [one.skipped for one in reports] == [[]] * 3
        told = [line for one in reports for line in one.notices if "before the previous one ends" in line]
        assert len(told) == 1
        assert "in source cam, 1 video begins up to 0.4 s before" in told[0]
        assert "about 3 frames there do not count" in told[0]


def test_a_still_picture_counts_for_as_long_as_it_is_shown_as_at_a_constant_rate(bench: Bench) -> None:
    def times_ms(name: str, *, sample_fps: str = "5") -> list[int]:
        bench.produce(videos[name], source=name, sample_fps=sample_fps, start_time=START)
        announced = [one for one in bench.log.announcements if keys.slug(name) == one.source]
        return sorted(one.captured_at_ms - START_MS for one in announced)

    bursts_ms = [*range(0, 1_100, 100), *range(9_000, 10_000, 100)]
    videos = {
        name: bench.video(name, steps_ms)
        for name, steps_ms in (
            ("screen.mp4", bursts_ms),
            ("screen.mkv", bursts_ms),
            ("constant.mkv", list(range(0, 10_000, 100))),
            ("slow.mkv", [3_000 * n for n in range(12)]),
            ("hole.mkv", [*range(0, 1_000, 100), *range(70_000, 71_000, 100)]),  # more than a minute
        )
    }
    constant = times_ms("constant.mkv")
    for name in ("screen.mp4", "screen.mkv"):
        once = times_ms(name)
        assert set(constant) <= set(once)
        assert len(once) <= len(constant) + 1  # and the last picture before it
        assert times_ms(name) == once  # again, nothing is new
        assert len(times_ms(name, sample_fps="all")) == 100
        [manifest] = [one for one in bench.manifests() if one.source_name == name]
        assert (manifest.state, manifest.frames_announced) == ("complete", 100)
    assert times_ms("slow.mkv") == [3_000 * n for n in range(12)]
    assert max(b - a for a, b in pairwise(times_ms("hole.mkv"))) > 60_000


def test_pictures_lost_by_the_decoder_do_not_count_as_a_still_one(bench: Bench) -> None:
    path = bench.video("lost.webm", 80, codec="libvpx", noise=True)
    data = bytearray(path.read_bytes())
    data[len(data) // 4 : len(data) * 3 // 4] = bytes(len(data) * 3 // 4 - len(data) // 4)
    path.write_bytes(data)
    assert bench.produce(path).frames_announced < 25  # of 40
