"""Changes of videos are told to whoever listens to `/api/v1/events`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from tests.videos.video_records import make_video
from tests.web.conftest import Place
from tests.web.counted_footage import make_lines, publish_lines
from tests.web.test_events_api import events, listen

from frametally.errors import Retryable


@pytest.mark.thorough
def test_a_change_of_a_video_is_told(place: Place, serving: Callable[[Flask], str]) -> None:
    video = make_video()
    with listen(serving(place.app())) as stream:
        told = (data["version"] for kind, data in events(stream) if kind == "videos")
        versions = [next(told)]
        for change in (
            lambda: place.catalogue.put_video(video, "1"),
            lambda: place.catalogue.set_video(video.id, state="producing", progress=0.5),
            lambda: place.catalogue.queue(video.id, "frames"),
        ):
            change()
            versions.append(next(told))
    assert len(set(versions)) == 4
    assert place.catalogue.version() in versions[-1]


@pytest.mark.thorough
def test_streams_go_on_while_the_catalogue_of_videos_is_away(
    place: Place, serving: Callable[[Flask], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away() -> str:
        raise Retryable("the catalogue is away")

    with monkeypatch.context() as away, listen(serving(place.app())) as stream:
        away.setattr(place.catalogue, "version", is_away)
        told = events(stream)
        publish_lines(place, make_lines("gate", frames=6))
        assert next(told)[0] != "videos"
        away.undo()
        assert next(kind for kind, _ in told if kind == "videos")
