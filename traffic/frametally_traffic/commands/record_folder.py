"""The folder of drawings in the store, for commands that read all small records."""

from __future__ import annotations

from frametally import keys
from frametally_cli.checkup.findings import RecordFolder
from frametally_traffic.records import Drawing

FOLDERS = (RecordFolder(keys.DRAWINGS, "drawings", lambda _: Drawing),)
