"""Prints every setting as the table of `docs/settings.md`: `python -m frametally.settings`."""

from __future__ import annotations

from frametally.plugins import hooks
from frametally.settings.access import NO_SECRET
from frametally.settings.consumer import ConsumerSettings
from frametally.settings.counting import CountingSettings
from frametally.settings.loading import DATA_FOLDER, ENV_PREFIX, Settings
from frametally.settings.mail import MailSettings
from frametally.settings.producer import ProducerSettings
from frametally.settings.servers import ServerSettings
from frametally.settings.telemetry import TelemetrySettings
from frametally.settings.web import WebSettings

PARTS = (
    *(ProducerSettings, ConsumerSettings, CountingSettings, WebSettings, MailSettings),
    *hooks("settings"),
    *(TelemetrySettings, ServerSettings),
)
_FOLDERS = {"data_dir": DATA_FOLDER, "models_dir": "~/.cache/frametally/models"}


def settings_table() -> str:
    """Return every setting as a Markdown table: shared settings, then by stage, then of servers."""
    rows = ["| setting | default | what it is |", "| --- | --- | --- |"]
    by_stage = {name: field for part in PARTS for name, field in part.model_fields.items()}
    shared = {name: field for name, field in Settings.model_fields.items() if name not in by_stage}
    for name, field in (shared | by_stage).items():
        default = f"`{_FOLDERS.get(name, field.default)}`"
        if field.default in ("", None, NO_SECRET):
            default = ""
        rows.append(f"| `{ENV_PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(settings_table())
