"""A bucket of a real S3 server is thinned like a folder, frame by frame."""

from __future__ import annotations

from pathlib import Path

import pytest
from s3_bucket import new_place
from tests.retention.filmed import START_MS, filmed_days, opened

from frametally.rules.times import DAY_MS
from frametally_retention.policy import LegalHold, RetentionRule, put_hold, set_rule

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


def test_a_bucket_keeps_and_loses_the_same_frames_as_a_folder(tmp_path: Path) -> None:
    url, access = new_place()
    settings = {
        "store_url": url,
        "store_endpoint": access.endpoint,
        "store_access_key": access.access_key,
        "store_secret_key": access.secret_key,
    }
    with filmed_days(tmp_path / "folder") as folder, opened(tmp_path / "bucket", **settings) as bucket:
        for info in folder.store.list(""):
            bucket.store.put(info.key, folder.store.get(info.key))
        for place in (folder, bucket):
            place.pack("images/gate/2024-04-01", START_MS + 10**13)
            set_rule(place.store, RetentionRule(kind="frames", after_ms=20 * DAY_MS))
            set_rule(
                place.store, RetentionRule(kind="thinning", after_ms=5 * DAY_MS, interval_s=60, frames=2)
            )
            from_ms = START_MS - 30 * DAY_MS
            hold = LegalHold(name="case", from_ms=from_ms, to_ms=from_ms + 5000, set_at_ms=0)
            assert put_hold(place.store, hold) == []
        reports = [place.round() for place in (folder, bucket)]
        assert reports[0].kinds == reports[1].kinds
        assert folder.frames() == bucket.frames()
        assert folder.objects() == bucket.objects()
