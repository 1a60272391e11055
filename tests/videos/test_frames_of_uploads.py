"""A user's network is tested on uploaded videos before their first frame is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.kit.clips import jpeg_of
from tests.producer.conftest import encode_video
from tests.videos.video_records import make_video

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.records import encode
from frametally.settings.loading import load_settings
from frametally_models.footage_samples import footage_to_test


def test_model_tests_read_uploaded_videos_while_no_frame_is_stored(tmp_path: Path) -> None:
    settings = load_settings("producer", data_dir=tmp_path / "data")
    store = open_object_store(settings.store_url)
    record = make_video()
    store.put(keys.video_key(record.id), encode(record))
    clip = encode_video(tmp_path / "gate.mp4", noise=True)
    store.put(keys.original_key(record.id), clip.read_bytes())
    assert [frame.source for frame in footage_to_test(settings, (), ()).read()] == ["gate"] * 4
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 32:] = 200
    store.put(keys.image_key("yard", 0, "0123456789ab", 0), jpeg_of(picture))
    assert [frame.source for frame in footage_to_test(settings, (), ()).read()] == ["yard"]
