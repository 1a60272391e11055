"""Whether a deployment has gold tables: they are kept up to date only where somebody asked for them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from frametally.settings.loading import Settings
from frametally_gold.settings import GoldSettings


def is_wanted(settings: Settings) -> bool:
    """Return whether `FRAMETALLY_GOLD_URL` names a place of its own, or the usual file is there.

    `frametally gold` makes that file; where nobody has run it, the tables would only double the disk.
    """
    url = urlsplit(settings.part(GoldSettings).gold_url)
    usual = f"sqlite:///{settings.data_dir / 'gold.sqlite'}"
    return bool(url.scheme) and (
        settings.part(GoldSettings).gold_url != usual or Path(unquote(url.path)).exists()
    )
