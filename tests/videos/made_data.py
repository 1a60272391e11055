"""A catalogue where something has been produced, as far as a check-up goes."""

from frametally.settings.loading import Settings
from frametally_videos.opening import open_video_catalogue


def make_data(settings: Settings) -> None:
    open_video_catalogue(settings.catalogue_url).close()
