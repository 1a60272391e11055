"""The origin of the dashboard's own pages."""

from __future__ import annotations

import pytest

from frametally_web.requests.origins import is_of_own_page

HOST = "Frames.example:21401"


@pytest.mark.parametrize(
    ("host", "origin", "is_own"),
    [
        (HOST, "http://frames.example:21401", True),
        (HOST, "https://frames.example:21401", True),
        ("[::1]:80", "http://[::1]:80", True),
        (HOST, "evil://frames.example:21401", False),
        (HOST, "chrome-extension://frames.example:21401", False),
        (HOST, "file://frames.example:21401", False),
        (HOST, "ws://frames.example:21401", False),
        (HOST, "://frames.example:21401", False),
        (HOST, "http://http://frames.example:21401", False),
        (HOST, "http://frames.example:21401/", False),
        (HOST, "http://frames.example", False),
        (HOST, "null", False),
        (HOST, "", False),
        ("", "null", False),
        ("", "http://", False),
        ("", "", False),
    ],
)
def test_only_the_same_host_over_http_is_the_dashboards_own_page(
    host: str, origin: str, is_own: bool
) -> None:
    assert is_of_own_page(host=host, origin=origin, fetch_site="") is is_own


@pytest.mark.parametrize(
    ("fetch_site", "origin", "is_own"),
    [
        ("none", "", True),
        ("none", f"http://{HOST.lower()}", True),
        ("none", "https://evil.example", False),
        ("none", "null", False),
        ("same-origin", "", True),
        ("same-site", f"http://{HOST}", False),
        ("cross-site", "", False),
    ],
)
def test_a_browser_that_names_no_site_is_trusted_unless_it_names_another_origin(
    fetch_site: str, origin: str, is_own: bool
) -> None:
    assert is_of_own_page(host=HOST, origin=origin, fetch_site=fetch_site) is is_own
