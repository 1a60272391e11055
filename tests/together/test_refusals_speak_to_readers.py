"""An error speaks to its reader: it tells viewers whom to ask, and names no settings."""

from __future__ import annotations

import pytest
from tests.accounts.people import asking_as, give_accounts
from tests.web.conftest import Place, Serving
from tests.web.counted_footage import put_footage

from frametally.errors import Misconfigured
from frametally_web.access.visitors import ANYBODY, Visitor, set_administrators, set_visitor
from frametally_web.api.answering import for_reader
from frametally_web.api.endpoints import RIGHTS

MISSING = "00000000-0000-4000-8000-000000000000"
SETTING = "set FRAMETALLY_DATA_DIR to a folder"


@pytest.fixture
def url(place: Place, serving: Serving) -> str:
    put_footage(place)
    give_accounts(place)
    return serving(place.app(web_uploads=True))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "It takes more than 2 h; cut it, or raise FRAMETALLY_VIDEO_MAX_H.",
            "It takes more than 2 h; cut it; ask",
        ),
        (
            'It requires a user name and password: set FRAMETALLY_LIVE_LOGINS={"gate": "<user>"}',
            "It requires a user name and password; ask",
        ),
        ("512 MB are free (FRAMETALLY_MIN_FREE_DISK_MB): make room", "512 MB are free; ask"),
        ("Set FRAMETALLY_ALERT_KEY, and start again.", "Ask"),
        ("The index is away.", "The index is away."),
    ],
)
def test_a_viewer_reads_whom_to_ask_instead_of_which_setting_to_change(line: str, told: str) -> None:
    try:
        set_administrators(lambda: ["runa"])
        set_visitor(Visitor("lukas", "look"))
        asks = " an administrator (runa)." if told.endswith("sk") else ""
        assert for_reader(line) == f"{told}{asks}"
        set_visitor(ANYBODY)
        assert for_reader(line) == line
    finally:
        set_administrators(list)
        set_visitor(ANYBODY)


def test_a_server_fault_names_its_setting_only_to_administrators(place: Place, url: str) -> None:
    place.index.error = Misconfigured(f"the index cannot be opened: {SETTING}")
    with asking_as(url, "lukas") as ask:
        answer = ask("GET", "/api/v1/counts")
        assert answer.status == 503
        assert b"The index cannot be opened" in answer.body or b"the index cannot be opened" in answer.body
        assert b"an administrator (runa)" in answer.body
        assert b"FRAMETALLY_" not in answer.body
    with asking_as(url, "runa") as ask:
        assert SETTING.encode() in ask("GET", "/api/v1/counts").body


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["lukas", "clara"])
def test_answers_name_settings_only_to_those_who_may_change_them_and_refusals_name_an_administrator(
    place: Place, url: str, name: str
) -> None:
    with asking_as(url, name) as ask:
        for is_away in (False, True):
            if is_away:
                place.index.error = Misconfigured(f"the index cannot be opened: {SETTING}")
            for route, right in RIGHTS.by_route.items():
                method, path = route.replace("{}", MISSING).split(" ")
                if right == "open" or method in ("WS", "OPTIONS", "HEAD") or path == "/api/events":
                    continue
                for accepts in ("application/json", "text/html"):
                    answer = ask(method, path, Accept=accepts)
                    assert b"FRAMETALLY_" not in answer.body, route
                    if answer.status == 403:
                        assert b"an administrator (runa)" in answer.body, (route, answer.body)
