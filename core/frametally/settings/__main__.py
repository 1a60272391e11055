"""`python -m frametally.settings` prints every setting as the table of `docs/settings.md`."""

from __future__ import annotations

from frametally.settings.access import NO_SECRET
from frametally.settings.servers import ServerSettings
from frametally.settings.stages import ENV_PREFIX, Settings
from frametally.settings.web import WebSettings


def settings_table() -> str:
    """Return every setting as a Markdown table: the stages', the dashboard's, the servers'."""
    rows = ["| setting | default | what it is |", "| --- | --- | --- |"]
    apart = WebSettings.model_fields | ServerSettings.model_fields
    stages = {name: field for name, field in Settings.model_fields.items() if name not in apart}
    for name, field in (stages | apart).items():
        default = "`~/.cache/frametally/models`" if name == "models_dir" else f"`{field.default}`"
        if field.default in ("", None, NO_SECRET):
            default = ""
        rows.append(f"| `{ENV_PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(settings_table())
