"""What `frametally doctor` says of videos."""

from __future__ import annotations

from contextlib import closing

from tests.core.test_doctor import settings
from tests.videos.video_records import make_video

from frametally.settings.loading import Settings
from frametally_cli.checkup.ports import port_rows
from frametally_videos.opening import open_video_catalogue

__all__ = ["settings"]


def test_the_catalogues_row_says_how_many_videos_wait_and_who_works_on_them(settings: Settings) -> None:
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        for number in range(3):
            catalogue.put_video(make_video(number), "1")
        catalogue.set_video(make_video(0).id, state="ready")
    [row] = [row for row in port_rows(settings) if row.area == "catalogue"]
    assert row.good
    assert row.value == "3 videos: 1 ready, 2 received"
    assert "`frametally serve`, `up` or `work` works on those that wait" in row.note
