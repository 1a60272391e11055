"""People with accounts for the dashboard's tests, and how they sign in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from argon2 import PasswordHasher
from sqlalchemy import text
from tests.web.conftest import Place
from tests.web.raw_client import Answered, Client

from frametally_accounts.book import AccessBook
from frametally_accounts.rights import Role, UserAccount

PASSWORD = "nine lives and a hat"  # noqa: S105
KEPT = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)  # cheap to check
FORM = "application/x-www-form-urlencoded"
NAMES: dict[str, Role] = {"lukas": "look", "clara": "correct", "runa": "run"}


def give_accounts(place: Place, *, sources: tuple[str, ...] = ()) -> None:
    """Open an access book for the place, with an account for each role."""
    place.access = AccessBook(place.settings.catalogue_url)
    for name, role in NAMES.items():
        assert place.access.add_account(UserAccount(name, role, sources))
        assert place.access.set_password(name, KEPT)


def sign_in(client: Client, name: str, password: str = PASSWORD, **more: str) -> Answered:
    """Send the form as a browser does for a page of the dashboard."""
    headers = {one: more.pop(one) for one in list(more) if one[0].isupper()}
    body = urlencode({"name": name, "password": password, **more})
    return client(
        "POST", "/sign-in", body, **{"Content_Type": FORM, "Sec_Fetch_Site": "same-origin", **headers}
    )


def cookie_of(answer: Answered) -> str:
    """Return what a browser sends from then on."""
    return re.match("([^=]+=[^;]+);", answer.headers["set-cookie"])[1]


Asks = Callable[..., Answered]


@contextmanager
def asking_as(url: str, name: str) -> Iterator[Asks]:
    """Yield a client that is signed in as `name`, or not signed in if it is empty."""
    client = Client(url)
    cookie = {"Cookie": cookie_of(sign_in(client, name))} if name else {}

    def ask(method: str, path: str, body: Any = None, **headers: str) -> Answered:
        return client(method, path, body, **{"Sec_Fetch_Site": "same-origin", **cookie, **headers})

    try:
        yield ask
    finally:
        client.close()


def guess_until_slowed(guess: Callable[[], Answered]) -> list[int]:
    """The statuses of wrong guesses until the first one that waits: a busy machine is slower than a short
    wait."""
    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 20:
        statuses.append(guess().status)
    return statuses


def lengthen_waits(place: Place) -> None:
    """Make each wait for a sign-in 30 s longer: a busy machine outlasts a first wait of a second."""
    longer = (
        "UPDATE frametally_login_attempts SET due_at_ms = due_at_ms + 30000 WHERE due_at_ms > tried_at_ms"
    )
    with place.access._database.writing() as connection:
        connection.execute(text(longer))
