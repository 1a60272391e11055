"""Only blurred frames are stored, and they count as the camera saw them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.kit.clips import jpeg_of, write_clip
from tests.privacy.screened import (
    BLUR,
    CORNER,
    Said,
    counted,
    distance,
    images,
    legible_spans,
    opened,
    produce_there,
    ruled,
    stored_pictures,
    traffic_frames,
    write_pictures,
)

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels, decode_pixels
from frametally.media.manifests import list_manifests
from frametally.media.screening import ScreenNote, note_in, screen_of, with_note
from frametally.process.retrying import Patience
from frametally.records import Detection, FrameAnnouncement
from frametally.settings.loading import Settings
from frametally_consumer.backends.network import AS_DARKNET, Outputs, complete
from frametally_consumer.detectors.heads import DecodedHead
from frametally_consumer.detectors.yolo import NetworkModel, YoloDetector
from frametally_privacy import screens
from frametally_privacy.blurring import Span, spans_to_blur
from frametally_privacy.policy import drop_rule
from frametally_producer.reading.pixels import encode_jpeg
from frametally_producer.writing.frames import FrameWriter, NewFrame


@pytest.fixture
def pictures(traffic_clip: Path, tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", traffic_frames(traffic_clip, 2))


@pytest.mark.thorough
def test_blurring_changes_no_byte_of_the_counts_and_no_stored_frame_shows_a_plate(
    pictures: Path, model_files: Any, tmp_path: Path
) -> None:
    with opened(tmp_path / "plain") as ports:
        produce_there(ports, pictures)
        plain, plain_counts = images(ports.store), counted(ports)
    with opened(ruled(tmp_path / "blurred")) as ports:
        produce_there(ports, pictures, extracted_dir=tmp_path / "kept")
        blurred, blurred_counts = images(ports.store), counted(ports)
        (manifest,) = list_manifests(ports.store)
    assert blurred_counts == plain_counts
    assert len(plain_counts) >= 2
    assert blurred.keys() == plain.keys()
    assert sorted(path.read_bytes() for path in (tmp_path / "kept").rglob("*.jpg")) == sorted(
        blurred.values()
    )
    for key, jpeg in plain.items():
        note = note_in(blurred[key])
        assert note is not None and note.detections
        assert manifest.screened == [note.screened]
        assert "privacy policy 1: heads and plates blurred by recipe 2 with yolov4-tiny" in note.screened
        assert legible_spans(decode_pixels(jpeg), decode_pixels(blurred[key]), note.detections) == []
        # Proof that the check can fail: the plain picture shows everything.
        assert legible_spans(decode_pixels(jpeg), decode_pixels(jpeg), note.detections)


@pytest.mark.thorough
@pytest.mark.parametrize("scale", [1, 2])  # of a large picture, the consumer decodes every second pixel
def test_a_videos_preview_pictures_are_blurred_in_the_same_places_as_its_frames(
    traffic_clip: Path, model_files: Any, tmp_path: Path, scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    blurred_spans: list[list[Span]] = []

    def note_spans(pixels: Pixels, spans: Iterable[Span]) -> Pixels:
        blurred_spans.append(list(spans))
        return pixels

    monkeypatch.setattr(screens, "blurred", note_spans)
    with opened(ruled(tmp_path)) as ports:
        screen = screen_of(ports.settings, ports.store, "gate")
        assert screen is not None
        for frame in traffic_frames(traffic_clip, 3, step=60):
            pixels = np.repeat(np.repeat(frame, scale, axis=0), scale, axis=1)
            note = note_in(screen.frame(encode_jpeg(pixels, ports.settings.jpeg_quality)))
            assert note is not None and note.detections
            screen.picture(pixels)
            of_frame, of_picture = blurred_spans[-2:]
            assert of_picture == of_frame
            height_px, width_px = pixels.shape[:2]
            assert set(spans_to_blur(note.detections, width_px, height_px)) < set(of_frame)


class Seen:
    """A network that sees a person with the confidence in a picture's top left pixel, in hundredths."""

    def start(self, picture: Pixels, read: Callable[[Outputs], Any]) -> Future[Any]:
        row = [0.5, 0.5, 0.5, 0.5, 1, picture[0, 0, 0] / 100]
        future: Future[Any] = Future()
        complete(future, read, [np.array([row], np.float32)])
        return future


def test_a_barely_detected_person_is_also_blurred_and_counts_as_before() -> None:
    model = NetworkModel(
        name="seen",
        backend="onnxruntime",
        network=b"",
        head=DecodedHead(1),
        class_names=["person"],
        input_px=(96, 96),
        preparation=AS_DARKNET,
        min_confidence=0.1,
        nms_iou=0.45,
    )
    detector = screens.SharedDetector(YoloDetector(Seen(), model))
    screen = screens.PolicyScreen(BLUR, Settings(jpeg_quality=100), lambda _: detector)
    sharp = np.random.default_rng(1).integers(0, 256, (96, 96, 1), np.uint8).repeat(3, axis=2)

    def seen_with(confidence: int) -> Pixels:
        picture = sharp.copy()
        picture[:16, :16] = confidence
        return picture

    def shows_head(picture: Pixels) -> bool:
        return float(picture[28:38, 28:68].std()) > 60  # 74 in noise, 25 at most in a blurred part

    frames = {confidence: screen.frame(encode_jpeg(seen_with(confidence), 100)) for confidence in (1, 7, 30)}
    assert [shows_head(decode_pixels(jpeg)) for jpeg in frames.values()] == [True, False, False]
    notes = [note_in(jpeg) for jpeg in frames.values()]
    assert [len(note.detections) for note in notes if note is not None] == [0, 0, 1]

    # In a film, also where the picture before or after shows a person.
    film = [seen_with(confidence) for confidence in (1, 30, 1, 1, 1, 30, 7, 1, 1)]
    assert [shows_head(picture) for picture in screen.pictures(film)] == [
        *(False, False, False, True, False, False, False, False, True)
    ]
    small, large = seen_with(30)[:30, :40], np.tile(seen_with(1), (2, 2, 1))
    shapes = [picture.shape for picture in screen.pictures([large, seen_with(30), small, large])]
    assert shapes == [large.shape, (96, 96, 3), small.shape, large.shape]


@pytest.mark.thorough
@pytest.mark.parametrize("packs", [False, True])
def test_a_video_counts_the_same_and_no_object_in_the_store_shows_a_plate(
    traffic_clip: Path, model_files: Any, tmp_path: Path, packs: bool
) -> None:
    frames = traffic_frames(traffic_clip, 6, 60)
    video = write_clip(tmp_path / "gate.mp4", frames)
    how = {"start_time": "2026-03-01T08:00:00Z", "packs": packs}
    counts = []
    for name in ("plain", "blurred"):
        with opened(tmp_path / name) as ports:
            if name == "blurred":
                ruled(tmp_path / name)
            produce_there(ports, video, **how)
            counts.append(counted(ports))
            stored = images(ports.store)
        if name == "plain":
            plain = stored
    assert counts[0] == counts[1]
    notes = {key: note_in(jpeg) for key, jpeg in stored.items()}
    seen = 0
    for name, picture in stored_pictures(tmp_path / "blurred"):
        key = min(plain, key=lambda key: distance(decode_pixels(plain[key]), picture))
        assert legible_spans(decode_pixels(plain[key]), picture, notes[key].detections) == [], name
        seen += 1
    assert seen >= len(plain)


@pytest.mark.thorough
def test_a_frame_blurred_twice_or_by_another_process_has_the_same_bytes(
    pictures: Path, model_files: Any, tmp_path: Path
) -> None:
    stored = []
    for name in ("first", "second"):
        with opened(ruled(tmp_path / name)) as ports:
            produce_there(ports, pictures)
            stored.append(images(ports.store))
            produce_there(ports, pictures)
            assert images(ports.store) == stored[-1]
    assert stored[0] == stored[1]


@pytest.mark.thorough
def test_another_model_says_that_it_sees_blurred_frames(
    pictures: Path, model_files: Any, tmp_path: Path
) -> None:
    with opened(ruled(tmp_path / "blurred")) as ports:
        produce_there(ports, pictures)
    said = Said()
    with opened(tmp_path / "blurred", detector="pixels") as ports:
        counted(ports, said)
    (line,) = [line for line in said.lines if "changed before they were stored" in line]
    assert "gate: pixels-opencv" in line and "privacy policy 1" in line


def test_an_unreadable_policy_stores_no_picture_and_says_how_to_continue(
    pictures: Path, tmp_path: Path
) -> None:
    with opened(tmp_path / "blurred") as ports:
        ports.store.put("privacy/policy.json", b"no record")
        with pytest.raises(Misconfigured, match=r"privacy/policy\.json.*no picture is stored until"):
            produce_there(ports, pictures)
        assert images(ports.store) == {}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("rule", "settings", "words"),
    [
        (BLUR, {"detector": "pixels"}, "finds neither persons nor vehicles"),
        (BLUR, {"model_weights": Path("/nowhere.weights")}, "this file does not exist"),
        (msgspec.structs.replace(BLUR, model="gone.onnx"), {}, "nor an ONNX file"),
    ],
)
def test_no_picture_is_stored_without_a_model_that_can_blur(
    rule: Any, settings: dict[str, Any], words: str, pictures: Path, tmp_path: Path
) -> None:
    ruled(tmp_path / "blurred", rule)
    with opened(tmp_path / "blurred", **settings) as ports:
        with pytest.raises(Misconfigured, match=words):
            produce_there(ports, pictures)
        assert images(ports.store) == {}


@pytest.mark.thorough
def test_a_mask_is_black_in_the_store_and_objects_under_it_do_not_count(tmp_path: Path) -> None:
    night = np.zeros((120, 160, 3), np.uint8)
    night[10:20, 10:20] = night[80:100, 100:130] = 255
    hidden = night.copy()
    hidden[:30, :40] = 0
    counts = []
    for name, picture, rule in (("masked", night, True), ("by hand", hidden, False)):
        pictures = write_pictures(tmp_path / f"{name} pictures", (picture,))
        with opened(tmp_path / name, detector="pixels", jpeg_quality=95) as ports:
            if rule:
                ruled(tmp_path / name, msgspec.structs.replace(BLUR, blur=False, masks=(CORNER,)))
            produce_there(ports, pictures)
            (jpeg,) = images(ports.store).values()
            assert decode_pixels(jpeg)[:24, :32].max() < 8
            counts.append([line for line in counted(ports).values() if b'"white"' in line])
            if rule:
                (manifest,) = list_manifests(ports.store)
                assert manifest.screened == ["privacy policy 1: 1 mask"]
    detections = [msgspec.json.decode(lines[0].splitlines()[0])["detections"] for lines in counts]
    assert detections[0] == detections[1]
    assert len(detections[0]) == 1


MASKED = msgspec.structs.replace(BLUR, blur=False, masks=(CORNER,))


@contextmanager
def camera(ports: Any, pack_ms: int, announced: list[FrameAnnouncement]) -> Iterator[Callable[..., None]]:
    """Write frames as a camera does; yield what writes a white frame of this number."""
    ports.log.create_topic("frames", 1)
    with FrameWriter(
        settings=ports.settings,
        store=ports.store,
        log=ports.log,
        patience=Patience(print, lambda: False),
        topic="frames",
        on_announced=announced.extend,
        pack_ms=pack_ms,
        is_new=True,
    ) as writer:
        first = NewFrame(
            media="a" * 64,
            medium_hex="a" * 12,
            source="gate",
            frame_index=0,
            captured_at_ms=1_772_352_000_000,
            time_source="arrival",
            pixels=encode_jpeg(np.full((40, 40, 3), 255, np.uint8), 90),
            refused=pytest.fail,
        )

        def write(number: int, **changed: Any) -> None:
            at_ms = first.captured_at_ms + number
            writer.add(first._replace(frame_index=number, captured_at_ms=at_ms, **changed))

        yield write


def all_masked(folder: Path, number: int) -> bool:
    """Whether the store has so many pictures, which are black in the corner alone."""
    pictures = [picture for _, picture in stored_pictures(folder / "store")]
    assert len(pictures) == number
    return all(picture[:8, :8].max() < 8 and picture[20:, 20:].min() > 247 for picture in pictures)


def test_a_frame_encoded_by_a_camera_is_changed_before_its_pack_is_stored(tmp_path: Path) -> None:
    announced: list[FrameAnnouncement] = []
    with opened(ruled(tmp_path, MASKED)) as ports, camera(ports, 2000, announced) as write:
        for number in range(3):
            write(number)
    assert all_masked(tmp_path, 3)
    assert [frame.screened for frame in announced] == ["privacy policy 1: 1 mask"] * 3


@pytest.mark.parametrize("packs", [False, True])
def test_a_frame_that_waits_while_a_rule_is_set_follows_the_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packs: bool
) -> None:
    monkeypatch.setattr(screens, "READ_EVERY_S", 0.0)
    refused: list[str] = []
    with opened(tmp_path) as ports, camera(ports, 60_000 if packs else 0, []) as write:
        if packs:
            write(0)
            write(1, pixels=b"no JPEG", refused=refused.append)
        ruled(tmp_path, MASKED)
        write(2)
    assert all_masked(tmp_path, 1 + packs) and len(refused) == packs


def test_a_missing_policy_stores_no_picture_until_there_is_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screens, "READ_EVERY_S", 0.0)
    with opened(ruled(tmp_path, MASKED)) as ports:
        assert screen_of(ports.settings, ports.store, "gate") is not None
        ports.store.delete("privacy/policy.json")
        for _ in range(2):
            with pytest.raises(Misconfigured, match=r"policy\.json is gone: no picture is stored until"):
                screen_of(ports.settings, ports.store, "gate")
        ruled(tmp_path, MASKED)
        assert screen_of(ports.settings, ports.store, "gate") is not None
        drop_rule(ports.store, "")
        assert screen_of(ports.settings, ports.store, "gate") is None


@pytest.mark.parametrize(
    ("label", "inside", "outside"),
    [
        ("person", [(100, 50), (119, 55), (97, 48)], [(110, 140)]),
        ("car", [(110, 148), (98, 151)], [(110, 52)]),
        ("face", [(100, 50), (119, 149)], [(80, 100)]),
        ("dog", [], [(110, 100)]),
    ],
)
def test_heads_are_blurred_in_upper_parts_and_plates_in_lower_ones_with_a_margin(
    label: str, inside: list[tuple[int, int]], outside: list[tuple[int, int]]
) -> None:
    box = Detection(label=label, confidence=0.5, box=(100.0, 50.0, 20.0, 100.0))
    spans = spans_to_blur([box], 200, 200)

    def is_blurred(x: int, y: int) -> bool:
        return any(left <= x < right and top <= y < bottom for left, top, right, bottom in spans)

    assert all(is_blurred(*point) for point in inside)
    assert not any(is_blurred(*point) for point in outside)


@pytest.mark.thorough
def test_a_source_with_its_own_rule_follows_it_and_others_are_stored_unchanged(tmp_path: Path) -> None:
    white = write_pictures(tmp_path / "pictures", (np.full((40, 40, 3), 255, np.uint8),))
    rule = msgspec.structs.replace(MASKED, source="gate")
    with opened(ruled(tmp_path / "masked", rule)) as ports:
        produce_there(ports, white)
        produce_there(ports, white, source="yard")
        pixels = {key.split("/")[1]: decode_pixels(jpeg) for key, jpeg in images(ports.store).items()}
        screened = {manifest.source: manifest.screened for manifest in list_manifests(ports.store)}
    assert pixels["gate"][:8, :8].max() < 8 and pixels["yard"].min() > 247
    assert screened == {"gate": ["privacy policy 1: 1 mask"], "yard": msgspec.UNSET}


@pytest.mark.thorough
def test_a_note_of_any_length_can_be_read_back_and_changes_no_pixel(traffic_clip: Path) -> None:

    jpeg = jpeg_of(traffic_frames(traffic_clip, 1)[0])
    assert note_in(jpeg) is None
    box = Detection(label="person", confidence=0.5, box=(1.5, 2.5, 30.0, 40.0))
    for boxes in (0, 1, 5000):
        note = ScreenNote(screened="privacy policy 1", model="m", detections=(box,) * boxes)
        noted = with_note(jpeg, note)
        assert note_in(noted) == note
        assert (decode_pixels(noted) == decode_pixels(jpeg)).all()
