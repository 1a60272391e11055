"""Charts that are signed for other sites' pages: one selection, who may show it, and until when.

The signature is of the whole query of its address, so a query that was changed anywhere is none of ours.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

MOST_CHARS = 8000
MOST_DAYS = 366
_PURPOSE = b"frametally chart\n"  # the key signs cookies, too
_SIGNED = re.compile(r"(.+)&made=([0-9]{1,15})&ends=([0-9]{1,15})&signature=([0-9a-f]{64})", re.ASCII)
_SITE = "site"


class SignedChart(NamedTuple):
    """A chart, for other sites' pages.

    Attributes:
        selection: Names and values of the query by which its counts are asked for.
        sites: Origins (`https://intranet.example`) whose pages may show it.
        made_at_ms: When it was signed.
        ends_at_ms: When it is over.
    """

    selection: Sequence[tuple[str, str]]
    sites: Sequence[str]
    made_at_ms: int
    ends_at_ms: int


def sign_chart(chart: SignedChart, key: bytes) -> str:
    """Return the query of a chart's address."""
    sites = [(_SITE, site) for site in chart.sites]
    times = [("made", str(chart.made_at_ms)), ("ends", str(chart.ends_at_ms))]
    query = urlencode([*chart.selection, *sites, *times])
    return f"{query}&signature={_signature(query, key)}"


def embed_code(root: str, query: str) -> str:
    """Return what a page shows a chart by: `root` is where the dashboard is, `query` that of `sign_chart`."""
    address = html.escape(f"{root}/embed?{query}")
    return f'<iframe src="{address}" title="Counts" width="800" height="420"></iframe>'


def read_chart(query: str, key: bytes) -> SignedChart | None:
    """Return the chart of `sign_chart`; None: this server has signed no such thing."""
    found = _SIGNED.fullmatch(query) if len(query) <= MOST_CHARS else None
    signed = query.rpartition("&signature=")[0]
    if found is None or not hmac.compare_digest(_signature(signed, key), found[4]):
        return None
    pairs = parse_qsl(found[1], keep_blank_values=True)
    return SignedChart(
        [one for one in pairs if one[0] != _SITE],
        [value for name, value in pairs if name == _SITE],
        int(found[2]),
        int(found[3]),
    )


def _signature(query: str, key: bytes) -> str:
    return hmac.digest(key, _PURPOSE + query.encode(errors="replace"), hashlib.sha256).hex()
