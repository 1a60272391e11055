"""Where what is drawn lies in the store, for whoever reads every small record there."""

from __future__ import annotations

from frametally import keys
from frametally_cli.scrub.small_records import RecordFolder
from frametally_traffic.records import Drawing

FOLDERS = (RecordFolder(keys.DRAWINGS, "drawings", lambda _: Drawing),)
