"""A catalogue with some produced footage, as far as a check-up can see."""

from frametally.settings.loading import Settings
from frametally_videos.catalogue_by_url import open_video_catalogue


def make_data(settings: Settings) -> None:
    open_video_catalogue(settings.catalogue_url).close()
