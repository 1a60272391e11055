"""Each route over HTTP as each caller: without an account, by session or token, of all sources or of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import pytest
from tests.accounts.people import KEPT, NAMES, asking_as, give_accounts
from tests.examples import first_quick
from tests.together.test_api_tokens import by, token_of
from tests.together.test_no_question_fails import Operation, operations, short
from tests.web.conftest import Place, Serving
from tests.web.raw_client import Answered, Client

from frametally.actions.endpoints import route_of
from frametally_accounts.rights import ROLES, Role, UserAccount
from frametally_web.api.endpoints import ALL_ENDPOINTS, RIGHTS

Asks = Callable[..., Answered]
OWN, HIDDEN = "gate", "harbour"
# They end the session, or last for as long as a client listens.
NOT_ASKED = ("/sign-in", "/sign-out", "/api/events")
OF_SOURCES = {route_of(one.method, one.address) for one in ALL_ENDPOINTS if one.by_source} | {
    route
    for route in RIGHTS.by_source
    if route not in {route_of(one.method, one.address) for one in ALL_ENDPOINTS}
}


class Caller(NamedTuple):
    """Who asks: by a session or a token, as `role`, of all sources or of one; nobody without a role."""

    role: Role | None = None
    is_limited: bool = False
    has_token: bool = False

    def __str__(self) -> str:
        if self.role is None:
            return "nobody"
        return f"{self.role} {'one source' if self.is_limited else 'all'} {'token' if self.has_token else ''}"

    def may(self, route: str) -> bool:
        """Whether the declaration of a route is for this caller."""
        right = RIGHTS.by_route[route]
        if right == "open" or self.role is None:
            return right == "open"
        return ROLES.index(self.role) >= ROLES.index(right) and (not self.is_limited or route in OF_SOURCES)


CALLERS = [
    Caller(),
    *(Caller(role, limited, token) for role in ROLES for limited in (True, False) for token in (True, False)),
]
LIMITED = [caller for caller in CALLERS if caller.is_limited]


@pytest.fixture
def people(place: Place) -> Place:
    others = place.film({"boat": 3.0}, source=HIDDEN, name="Harbour", seed=2)
    place.film({"car": 1.0}, source=OWN, name="Gate", also=others)
    give_accounts(place)
    for name, role in NAMES.items():
        assert place.access.add_account(UserAccount(f"{name}-of-one", role, (OWN,)))
        assert place.access.set_password(f"{name}-of-one", KEPT)
    return place


@pytest.fixture
def asks_as(people: Place, serving: Serving) -> Iterator[Callable[[Caller], Asks]]:
    url = serving(people.app(web_uploads=True))
    with ExitStack() as stack:

        def begin(caller: Caller) -> Asks:
            if not caller.has_token:
                name = next((name for name, role in NAMES.items() if role == caller.role), "")
                return stack.enter_context(asking_as(url, f"{name}-of-one" if caller.is_limited else name))
            client = stack.enter_context(closing(Client(url)))
            assert caller.role is not None
            sources = (OWN,) if caller.is_limited else ()
            sent = by(token_of(people, "runa", caller.role, *sources))
            return lambda method, path, body=None, **headers: client(method, path, body, **sent, **headers)

        yield begin


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.parametrize("caller", first_quick(CALLERS), ids=str)
def test_each_caller_may_request_only_what_a_route_declares(
    asks_as: Callable[[Caller], Asks], caller: Caller
) -> None:
    ask, wrong = asks_as(caller), []
    for route in RIGHTS.by_route:
        method, path = route.split(" ")
        if method in ("WS", "OPTIONS") or path in NOT_ASKED:
            continue
        address = path.replace("{}", "00000000-0000-4000-8000-000000000000")
        answer = ask(method, address, Accept="application/json")
        refusal = 401 if caller.role is None else 403
        if caller.may(route) == (answer.status in (401, 403)) or (
            answer.status in (401, 403)
            and (answer.status != refusal or (method != "HEAD" and not answer.json["remedy"]))
        ):
            wrong.append((route, answer.status, answer.body[:200]))
    assert wrong == []


def of_hidden(operation: Operation) -> tuple[str, str]:
    """A request of a route about the source that the caller does not see, if it has one; and a body."""
    query: Any = [pair for pair in short(operation) if pair[0] != "source"]
    if "source" in operation.names("query"):
        query.append(("source", HIDDEN))
    return operation.address(query, source=HIDDEN), "{}" if operation.body is not None else ""


@pytest.mark.thorough
@pytest.mark.parametrize("caller", first_quick(LIMITED), ids=str)
def test_a_caller_of_one_source_reads_and_changes_nothing_of_another(
    asks_as: Callable[[Caller], Asks], caller: Caller
) -> None:
    ask, wrong, named = asks_as(caller), [], 0
    for operation in operations():
        if route_of(operation.method, operation.path) not in OF_SOURCES:
            continue
        address, body = of_hidden(operation)
        sent = {"Content_Type": "application/json", "If_Match": '"0"'} if body else {}
        answer = ask(operation.method, address, body, **sent)
        is_named = "source" in (*operation.names("query"), *operation.names("path"))
        named += is_named
        # A refusal repeats the name that it was asked for, and nothing else of that source.
        told = (
            answer.body.decode(errors="replace").replace(f"'{HIDDEN}'", "").replace(f'"value":"{HIDDEN}"', "")
        )
        if (is_named and answer.status < 400) or HIDDEN in told.lower() or "boat" in told:
            wrong.append((operation.method, address, answer.status, told[:300]))
    assert named > 20
    assert wrong == []
