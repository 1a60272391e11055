"""The proof behind a number: its frames, their pictures, and the counted boxes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from tests.kit.clips import jpeg_of
from tests.web.conftest import Place

from frametally.ports.object_store import ObjectStore
from frametally.segments.contents import list_segments
from frametally_web.proof import evidence_frames as proof_evidence

START_MS = 1_714_550_400_000


def evidence(place: Place, query: str = "", **settings: object) -> Any:
    answer = place.app(**settings).test_client().get(f"/api/evidence{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_each_label_has_its_busiest_frame_with_as_many_boxes_as_were_counted(place: Place) -> None:
    records, _ = place.film({"car": 6, "person": 2})
    frames = evidence(place)["frames"]
    assert [frame["label"] for frame in frames] == ["car", "person"]
    for frame in frames:
        busiest = max(one.peak for one in records if one.label == frame["label"])
        assert frame["count"] == len(frame["boxes"]) == busiest > 0
        assert {box["label"] for box in frame["boxes"]} == {frame["label"]}
        assert all(box["confidence"] >= 0.25 for box in frame["boxes"])
        assert (frame["width_px"], frame["height_px"]) == (640, 480)
        assert frame["source"] == "junction-east"
        assert frame["time_source"] == "start_time"
        assert frame["captured_at_ms"] >= START_MS
        assert frame["note"] is None


def test_evidence_covers_the_requested_range_labels_and_sources(place: Place) -> None:
    a = place.film({"car": 6, "person": 2}, source="a", seed=1)
    place.film({"car": 6}, source="b", seed=2, also=a)
    (frame,) = evidence(place, f"?label=car&source=b&from={START_MS + 5000}&to={START_MS + 10_000}")["frames"]
    assert frame["source"] == "b"
    assert START_MS + 5000 <= frame["captured_at_ms"] < START_MS + 10_000


@pytest.mark.thorough
def test_a_confidence_is_compared_as_the_stored_whole_number(place: Place) -> None:
    # Every line has one box of 0.2499, below the default of 0.25.
    place.film({"car": 6}, intervals=1)
    (frame,) = evidence(place)["frames"]
    (looser,) = evidence(place, count_min_confidence=0.2499)["frames"]
    assert len(looser["boxes"]) == len(frame["boxes"]) + 1
    assert "boxes differ" in looser["note"]


def test_a_box_with_a_side_below_the_limit_was_not_counted(place: Place) -> None:
    place.film({"car": 6, "person": 3}, intervals=1)
    shorter_sides = [min(box["box"][2:]) for frame in evidence(place)["frames"] for box in frame["boxes"]]
    limit = sorted(shorter_sides)[1]
    frames = evidence(place, count_min_side_px=limit)["frames"]
    kept = [min(box["box"][2:]) for frame in frames for box in frame["boxes"]]
    assert sorted(kept) == [side for side in sorted(shorter_sides) if side >= limit]


def test_a_frame_without_its_detections_says_so_and_the_others_stay(place: Place) -> None:
    place.film({"car": 6, "person": 2})
    for key in list(list_segments(place.store)):
        place.store.delete(key)
    for frame in evidence(place)["frames"]:
        assert frame["boxes"] == []
        assert frame["width_px"] is None
        assert "no longer in the store" in frame["note"]


def test_a_corrupt_segment_costs_the_boxes_but_not_the_answer(place: Place) -> None:
    place.film({"car": 6})
    (key,) = list_segments(place.store)
    place.store.put(key, b"not a segment\n")
    (frame,) = evidence(place)["frames"]
    assert "no longer in the store" in frame["note"]


def test_the_number_of_frames_is_limited_and_the_number_left_out_is_shown(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_evidence, "MAX_FRAMES", 4)
    place.film({f"label-{n}": 20 - n for n in range(15)}, intervals=3)
    answer = evidence(place)
    totals = place.real_index.labels(answer["model"])
    assert [frame["label"] for frame in answer["frames"]] == [label for label, _ in totals[:4]]
    assert answer["labels_left_out"] == len(totals) - 4


def test_a_frames_picture_is_the_stored_jpeg_and_browsers_may_cache_it(place: Place) -> None:
    place.film({"car": 6})
    (frame,) = evidence(place)["frames"]
    app = place.app().test_client()
    answer = app.get(frame["image_url"])
    assert answer.status_code == 200
    assert answer.mimetype == "image/jpeg"
    assert answer.data == place.store.get(frame["image_path"])
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    again = app.get(frame["image_url"], headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""


@pytest.mark.thorough
@pytest.mark.parametrize("width_px", [320, 640, 1280])
def test_a_smaller_picture_has_the_requested_width_but_never_more_than_the_stored_one(
    place: Place, width_px: int
) -> None:
    path = "images/gate/2024-05-01/1714550400200-0123456789ab-0.jpg"
    pixels = np.random.default_rng(1).integers(0, 255, (600, 1000, 3), np.uint8)
    place.store.put(path, jpeg_of(pixels))
    app = place.app().test_client()
    address = f"/api/v1/frames/image?path={path}&w={width_px}"
    answer = app.get(address)
    shown = cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == ((round(600 * width_px / 1000), width_px, 3) if width_px < 1000 else (600, 1000, 3))
    if width_px > 1000:
        assert answer.data == place.store.get(path)
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert app.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.thorough
def test_a_broken_picture_is_sent_as_it_is_stored_at_any_size(place: Place) -> None:
    path = "images/gate/2024-05-01/1714550400200-0123456789ab-0.jpg"
    for stored in (
        b"\xff\xd8 cut short",
        b"",
        cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes(),
    ):
        place.store.put(path, stored)
        answer = place.app().test_client().get(f"/api/v1/frames/image?path={path}&w=320")
        assert (answer.status_code, answer.data) == (200, stored)


def test_a_picture_has_no_other_widths(place: Place) -> None:
    for width in ("300", "0", "99999999", "x"):
        answer = place.app().test_client().get(f"/api/v1/frames/image?path=images/x&w={width}")
        assert answer.status_code == 400
        assert "320, 640, 1280" in answer.json["remedy"]


NO_FRAME = "media/secret.json"


class RecordingStore:
    """Records the requests."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.url = store.url
        self.asked: list[str] = []

    def get(self, key: str) -> bytes:
        self.asked.append(key)
        return self._store.get(key)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "path",
    [
        NO_FRAME,
        f"/{NO_FRAME}",
        f"images/../{NO_FRAME}",
        f"images/a/2024-05-01/../../../{NO_FRAME}",
        f"images/a/2024-05-01/1-0123456789ab-0.jpg/../../../../{NO_FRAME}",
        "images/a/2024-05-01/1-0123456789ab-0.jpg%00",
        "images/a/2024-05-01/1-0123456789ab-0.jpg%0a",
        "images/a/2024-05-01/1-0123456789AB-0.jpg",
        "images%2fa%2f2024-05-01%2f..%2f..%2fsecret",
        "..%2f..%2fetc%2fpasswd",
        "images\\a\\2024-05-01\\1-0123456789ab-0.jpg",
        "file:///etc/passwd",
        "",
    ],
)
def test_only_frames_are_ever_read_from_the_store(place: Place, path: str) -> None:
    place.store.put(NO_FRAME, b"secret")
    store = RecordingStore(place.store)
    place.store = store  # type: ignore[assignment]
    answer = place.app().test_client().get(f"/api/frames/image?path={path}")
    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert store.asked == []
    assert b"secret" not in answer.data


def test_a_frame_missing_from_the_store_is_a_404_in_json(place: Place) -> None:
    path = "images/a/2024-05-01/1-0123456789ab-0.jpg"
    answer = place.app().test_client().get(f"/api/frames/image?path={path}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
