"""Whether a deployment has gold tables: they are kept up to date only where somebody asked for them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from frametally.settings.loading import Settings
from frametally_gold.settings import GoldSettings
from frametally_videos.ports.video_catalogue import FINAL_STATES, VideoCatalogue


def is_wanted(settings: Settings) -> bool:
    """Return whether `FRAMETALLY_GOLD_URL` names a place of its own, or the usual file is there.

    `frametally gold` makes that file; where nobody has run it, the tables would only double the disk.
    """
    url = urlsplit(settings.part(GoldSettings).gold_url)
    usual = f"sqlite:///{settings.data_dir / 'gold.sqlite'}"
    return bool(url.scheme) and (
        settings.part(GoldSettings).gold_url != usual or Path(unquote(url.path)).exists()
    )


def load_anew(settings: Settings, catalogue: VideoCatalogue, video_id: str) -> None:
    """Have a video's gold rows made again, if they were made: before that, its end has them made.

    Raises:
        Retryable: The catalogue is away.
    """
    row = catalogue.video(video_id) if is_wanted(settings) else None
    if row is not None and row.state in FINAL_STATES:
        catalogue.queue(video_id, "gold")
