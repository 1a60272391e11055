"""Frames that could not be detected are listed one by one: picture, error, and remedy."""

from __future__ import annotations

import msgspec
import pytest
from tests.kit.api import get
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS, make_lines, publish_lines, put_dead_letters

from frametally import keys
from frametally.records import encode
from frametally.undo_records import Tombstone


@pytest.fixture
def spoiled(place: Place) -> Place:
    """A counted minute of a gate, and after it three messages that failed."""
    publish_lines(place, make_lines("gate", frames=12))
    later = make_lines("gate", frames=2, start_ms=START_MS + 60_000)
    put_dead_letters(
        place,
        [
            (later[0], "checksum", "/srv/footage/a.jpg: its sha256 is different"),
            (later[1], "oversized", "at most 9 are allowed (FRAMETALLY_MAX_IMAGE_MEGAPIXELS)"),
            (None, "malformed", "not JSON"),
        ],
    )
    return place


def test_each_letter_has_its_picture_reason_and_remedy_newest_first(spoiled: Place) -> None:
    answer = get(spoiled, "dead-letters")
    assert (answer["model"], answer["dead_letters_left_out"]) == (MODEL, 0)
    oversized, checksum, malformed = answer["dead_letters"]
    assert [one["cause"] for one in answer["dead_letters"]] == ["oversized", "checksum", "malformed"]
    assert (checksum["source"], checksum["captured_at_ms"]) == ("gate", START_MS + 60_000)
    assert checksum["reason"] == "a.jpg: its sha256 is different"
    assert checksum["remedy"].startswith("restore the picture")
    assert checksum["command"] == f"frametally dead-letters replay {checksum['id']}"
    assert checksum["image_url"].startswith("/api/v1/frames/image?path=images/gate/")
    assert oversized["reason"] == "at most 9 are allowed"  # a viewer can set nothing
    assert [malformed[name] for name in ("source", "captured_at_ms", "image_path", "image_url")] == [None] * 4
    assert malformed["command"] == f"frametally dead-letters drop {malformed['id']}"


def test_letters_have_the_same_ids_as_on_the_command_line(spoiled: Place) -> None:
    from frametally.segments.dead_letters import list_dead_letters

    known = {one.id: one.letter.reason for one in list_dead_letters(spoiled.store)}
    assert {one["id"] for one in get(spoiled, "dead-letters")["dead_letters"]} == set(known)


def test_letters_can_be_filtered_by_cause_and_the_number_left_out_is_shown(spoiled: Place) -> None:
    assert [one["cause"] for one in get(spoiled, "dead-letters?cause=checksum")["dead_letters"]] == [
        "checksum"
    ]
    some = get(spoiled, "dead-letters?limit=1")
    assert (len(some["dead_letters"]), some["dead_letters_left_out"]) == (1, 2)


def test_frames_detected_since_or_forgotten_are_not_listed(spoiled: Place) -> None:
    later = make_lines("gate", frames=2, start_ms=START_MS + 60_000)
    publish_lines(spoiled, [*make_lines("gate", frames=12), later[0]])
    stone = Tombstone(
        media=later[1].media,
        source="gate",
        name="gate.mp4",
        from_ms=later[1].captured_at_ms,
        to_ms=later[1].captured_at_ms + 1,
        why="forget",
    )
    spoiled.store.put(keys.tombstone_key(stone.media, stone.from_ms, stone.to_ms), encode(stone))
    assert [one["cause"] for one in get(spoiled, "dead-letters")["dead_letters"]] == ["malformed"]


def test_a_letter_whose_segment_is_unreadable_is_described_by_its_cause(spoiled: Place) -> None:
    client = spoiled.app(status_s=3600).test_client()
    assert client.get("/api/v1/status").status_code == 200
    for info in list(spoiled.store.list(keys.METADATA)):
        spoiled.store.delete(info.key)
    answer = client.get("/api/v1/dead-letters?cause=checksum").json
    [letter] = answer["dead_letters"]
    assert letter["reason"] == "its bytes differ from those announced"
    assert letter["image_url"] is None


def test_all_frames_may_be_dead_letters_and_none_counted(place: Place) -> None:
    lost = "no object 'images/x' in file:///srv/footage/store"
    put_dead_letters(place, [(line, "missing", lost) for line in make_lines("gate", frames=3)])
    reasons = [one["reason"] for one in get(place, "dead-letters")["dead_letters"]]
    assert reasons == ["the store does not have this frame"] * 3  # the store's address is secret
    assert msgspec.json.decode(place.app().test_client().get("/api/v1/models").data) == {"models": []}
