"""What has just been counted is proved at once: the ledger is brought up to what the index has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.web.counted_footage import MINUTE_MS, START_MS, make_lines, publish_lines

if TYPE_CHECKING:
    from tests.web.conftest import Place


def test_the_frames_of_what_was_counted_a_moment_ago_are_found(place: Place) -> None:
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines[:24])
    client = place.app(web_status_s=3600).test_client()
    assert client.get("/api/frames").json["note"] is None
    publish_lines(place, lines)
    since = f"from={START_MS + 3 * MINUTE_MS}"
    page = client.get(f"/api/frames?{since}&limit=100").json
    assert page is not None
    assert page["note"] is None
    assert page["frames"][-1]["running_total"] == page["detections"] > 0
    evidence = client.get(f"/api/evidence?{since}").json
    assert evidence is not None
    assert [frame["note"] for frame in evidence["frames"]] == [None] * len(evidence["frames"])
