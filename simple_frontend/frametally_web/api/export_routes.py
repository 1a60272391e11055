"""The route of the export: a chart's numbers as a file."""

from __future__ import annotations

from typing import BinaryIO

from frametally.actions.calls import Reply
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, choice
from frametally.files.export_formats import FORMATS
from frametally_web.books.context import Handlers
from frametally_web.exports.table_file import export
from frametally_web.requests.query import CHART, COMPARE, read_chart, read_compare

EXPORT = Routes("Export", by_source=True)
FORMAT = choice("format", "`csv` (default), `xlsx`, `json` or `parquet`.", tuple(sorted(FORMATS)), "csv")
MEDIA_TYPES = tuple(media_type for _, media_type in sorted(FORMATS.values()))  # CSV first


def file_reply(file: BinaryIO, of: str, file_format: str) -> Reply:
    """Return the reply with an exported file; `of` is a part of its name."""
    headers = {
        "Content-Disposition": f'attachment; filename="frametally-{of}.{file_format}"',
        "Cache-Control": "no-store",
    }
    if file_format == "csv":
        headers["Content-Type"] = "text/csv; charset=utf-8; header=present"
    return Reply(file, FORMATS[file_format][1], headers=headers)


class ExportRoutes(Handlers):
    """The handler, over the ports and the data read in the background."""

    @EXPORT.route(
        "GET export",
        "Download a chart's numbers as a file.",
        *CHART,
        COMPARE.but(
            description=f"{COMPARE.description} Rows then also have the other value, and the differences."
        ),
        FORMAT,
        media_types=MEDIA_TYPES,
    )
    def export(self, args: Args) -> Reply:
        chosen, query, compare = FORMAT.read(args), read_chart(args, self.settings), read_compare(args)
        self.books.media_to_keep()
        file = export(self.context.ask(query, by_second=True), chosen, compare)
        return file_reply(file, "counts", chosen)
