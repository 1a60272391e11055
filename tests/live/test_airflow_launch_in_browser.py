"""In Chromium: a stream that Airflow should start, and does not, is one line on the page; then it starts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from tests.live.answering_airflow import TOKEN, AnsweringAirflow, says
from tests.live.test_airflow_launch import access, airflow
from tests.videos.test_library_api import stored
from tests.videos.video_records import make_video
from tests.web.browser import Place, Visits, expect

pytestmark = pytest.mark.thorough


__all__ = ["airflow"]


def test_one_line_shows_why_airflow_started_no_stream_and_the_next_start_tries_again(
    place: Place, airflow: AnsweringAirflow, serving: Callable[[Flask], str], visit: Visits
) -> None:
    [video_id] = stored(place, make_video(1))
    airflow.answers[TOKEN] = says(401, {"detail": "<b>no</b>"})
    page = visit(None, url=serving(place.app(**access(airflow.url)))).open(
        f"videos?v={video_id}", wait_for=".live-stream"
    )
    start, words = page.get_by_role("button", name="Start stream"), page.locator(".live-words")
    start.click()
    expect(words).to_have_text(
        f"Failed: Airflow at {airflow.url} refuses the user name or password (401): check "
        f"FRAMETALLY_AIRFLOW_USER and "
        "FRAMETALLY_AIRFLOW_PASSWORD, then start the stream again."
    )
    expect(page.locator(".live-stream .form-said")).to_be_hidden()
    airflow.answers.clear()
    start.click()
    expect(words).to_have_text("Waiting to start: Airflow is starting its run.")
    [run_id] = airflow.runs
    page.get_by_role("button", name="Stop stream").click()
    expect(words).to_have_text("Ended")
    assert [f"stream__{feed.id}" for feed in place.feeds.feeds() if feed.told.state == "ended"] == [run_id]
