"""Signed charts for other sites' pages: a selection, the sites that may show it, and its expiry.

The signature covers the whole query of the address, so any change of the query makes it invalid.
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
_PURPOSE = b"frametally chart\n"  # the key also signs cookies
_SIGNED = re.compile(r"(.+)&made=([0-9]{1,15})&ends=([0-9]{1,15})&signature=([0-9a-f]{64})", re.ASCII)
_SITE = "site"


class SignedChart(NamedTuple):
    """A chart for other sites' pages.

    Attributes:
        selection: Names and values of the query that gets its counts.
        sites: Origins (`https://intranet.example`) whose pages may show it.
        made_at_ms: When it was signed.
        ends_at_ms: When it expires.
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
    """Return the HTML for a page; `root` is the dashboard's address, `query` comes from `sign_chart`."""
    address = html.escape(f"{root}/embed?{query}")
    return f'<iframe src="{address}" title="Counts" width="800" height="420"></iframe>'


def read_chart(query: str, key: bytes) -> SignedChart | None:
    """Return the chart that `sign_chart` signed, or None if this server has not signed it."""
    match = _SIGNED.fullmatch(query) if len(query) <= MOST_CHARS else None
    signed = query.rpartition("&signature=")[0]
    if match is None or not hmac.compare_digest(_signature(signed, key), match[4]):
        return None
    pairs = parse_qsl(match[1], keep_blank_values=True)
    return SignedChart(
        [pair for pair in pairs if pair[0] != _SITE],
        [value for name, value in pairs if name == _SITE],
        int(match[2]),
        int(match[3]),
    )


def _signature(query: str, key: bytes) -> str:
    return hmac.digest(key, _PURPOSE + query.encode(errors="replace"), hashlib.sha256).hex()
