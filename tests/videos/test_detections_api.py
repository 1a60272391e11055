"""Boxes to draw over a playing video: those of its own frames, by its own time, a minute at once."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from flask import Flask
from tests.videos.video_records import make_facts, make_video
from tests.web.conftest import FRAME_PX, MODEL, START_MS
from tests.web.raw_client import Client

from frametally import keys
from frametally.media.manifests import find_manifest, list_manifests
from frametally.records import encode
from frametally_videos.records import VideoRecord

if TYPE_CHECKING:
    from tests.web.conftest import Place

NEVER = "0b5d8a0e-3c1f-4f57-9a55-7a3f5d1f8c11"


@pytest.fixture
def video(place: Place) -> VideoRecord:
    """Two minutes, a frame every five seconds, the first 200 ms after its start; counted."""
    place.film({"car": 4, "bus": 2})
    (manifest,) = list_manifests(place.store)
    first_ms = START_MS + 200
    manifest = msgspec.structs.replace(
        manifest, first_captured_at_ms=first_ms, last_captured_at_ms=START_MS + 115_200
    )
    place.store.put(keys.media_key(manifest.sha256), encode(manifest))
    record = make_video(sha256=manifest.sha256, source=manifest.source, facts=make_facts(duration_s=120.0))
    place.catalogue.put_video(record, "v1")
    return record


@pytest.fixture
def ask(place: Place, serving: Callable[[Flask], str]) -> Iterator[Client]:
    client = Client(serving(place.app(web_allowed_origins="https://intranet.example")))
    yield client
    client.close()


def at(record: VideoRecord, query: str = "") -> str:
    return f"/api/v1/videos/{record.id}/detections{query}"


def test_a_minute_comes_at_once_and_says_where_it_goes_on(video: VideoRecord, ask: Client) -> None:
    first = ask("GET", at(video)).json
    assert (first["model"], first["width_px"], first["height_px"]) == (MODEL, *FRAME_PX)
    assert [one["position_s"] for one in first["frames"]] == [float(second) for second in range(0, 60, 5)]
    assert first["frames"][1]["captured_at_ms"] == START_MS + 5200
    assert first["next_s"] == 60.0
    second = ask("GET", at(video, f"?from_s={first['next_s']:g}")).json
    assert [one["position_s"] for one in second["frames"]] == [float(one) for one in range(60, 120, 5)]
    assert second["next_s"] is None
    part = ask("GET", at(video, "?from_s=4.999&to_s=10.001")).json
    assert [one["position_s"] for one in part["frames"]] == [5.0, 10.0]
    assert [one["position_s"] for one in ask("GET", at(video, "?from_s=5&to_s=10")).json["frames"]] == [5.0]


def test_the_boxes_are_those_that_count(place: Place, video: VideoRecord, ask: Client) -> None:
    boxes = [box for frame in ask("GET", at(video)).json["frames"] for box in frame["boxes"]]
    assert boxes
    assert {label for label, *_ in boxes} == {"car", "bus"}
    # The one that is below the threshold of the count is in every frame, and drawn in none.
    assert all(confidence >= 0.25 for _, confidence, *_ in boxes)
    assert all(len(box) == 6 for box in boxes)


def test_frames_of_other_media_of_the_source_are_not_its_own(
    place: Place, video: VideoRecord, ask: Client
) -> None:
    place.film({"car": 9}, start_ms=START_MS + 1000, seed=2)
    positions = [one["position_s"] for one in ask("GET", at(video)).json["frames"]]
    assert positions == [float(second) for second in range(0, 60, 5)]


@pytest.mark.thorough
def test_after_a_correction_only_the_frames_of_the_new_revision_are_drawn(
    place: Place, video: VideoRecord, ask: Client
) -> None:
    manifest = find_manifest(place.store, video.sha256)
    assert manifest is not None
    place.store.put(
        keys.media_key(video.sha256),
        encode(msgspec.structs.replace(manifest, revision=manifest.revision + 1)),
    )
    assert ask("GET", at(video)).json["frames"] == []


def test_before_anything_is_detected_there_are_no_boxes(place: Place, ask: Client) -> None:
    record = make_video()
    place.catalogue.put_video(record, "v1")
    answer = ask("GET", at(record))
    assert answer.status == 200
    assert answer.json == {"model": None, "width_px": 640, "height_px": 360, "frames": [], "next_s": None}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *(
            ("?from_s=-1", "from_s"),
            ("?from_s=x", "from_s"),
            ("?from_s=nan", "from_s"),
            ("?from_s=1e9", "from_s"),
        ),
        *(("?from_s=10&to_s=10", "to_s"), ("?from_s=10&to_s=5", "to_s"), ("?to_s=61", "to_s")),
        *(("?to_s=inf", "to_s"), ("?from_s=1&from_s=2", "from_s"), ("?model=nobody", "model")),
        *(("?frm_s=1", "frm_s"), (f"?from_s={'9' * 400}", "from_s"), ("?from_s=%00", "from_s")),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_name(
    video: VideoRecord, ask: Client, query: str, parameter: str
) -> None:
    answer = ask("GET", at(video, query))
    assert (answer.status, answer.json["parameter"]) == (400, parameter)
    assert answer.json["remedy"]


def test_behind_the_end_there_is_nothing_however_far(video: VideoRecord, ask: Client) -> None:
    for query in ("?from_s=5000", "?from_s=999999999", "?from_s=999999999.999999999&to_s=1000000000"):
        answer = ask("GET", at(video, query))
        if answer.status == 200:
            assert (answer.json["frames"], answer.json["next_s"]) == ([], None)
        else:
            assert answer.status == 400


def test_of_no_video_there_are_no_boxes(ask: Client) -> None:
    for video_id in (NEVER, "x"):
        assert ask("GET", f"/api/v1/videos/{video_id}/detections").status == 404


def test_what_a_browser_has_is_not_sent_again_and_what_it_has_not_is_packed(
    video: VideoRecord, ask: Client
) -> None:
    plain: Any = ask("GET", at(video))
    again = ask("GET", at(video), If_None_Match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    packed = ask("GET", at(video), Accept_Encoding="gzip")
    assert gzip.decompress(packed.body) == plain.body
    assert {"Accept-Encoding", "Origin", "Referer"} == set(packed.headers["vary"].split(", "))
