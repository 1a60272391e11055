"""Requirements of OWASP's ASVS for passwords and sessions that other tests do not cover: see
docs/security.md."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlencode

import pytest
from sqlalchemy import text
from tests.accounts.people import (
    FORM,
    PASSWORD,
    cookie_of,
    guess_until_slowed,
    lengthen_waits,
    sign_in,
)
from tests.web.conftest import Place, Serving
from tests.web.raw_client import Answered, Client
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from frametally.errors import Misconfigured
from frametally_accounts import credentials
from frametally_accounts.book import AccessBook
from frametally_accounts.credentials import LEAST_CHARS, check_password, hash_password
from frametally_accounts.password_links import first_link
from frametally_accounts.rights import UserAccount

SAME = {"Sec_Fetch_Site": "same-origin"}
SESSIONS = "UPDATE frametally_sessions SET"
PAGES = ("/", "/videos", "/live", "/jobs", "/lines", "/traffic", "/books", "/data", "/alerts", "/audit")


@pytest.fixture
def client(people: Place, serving: Serving) -> Iterator[Client]:
    made = Client(serving(people.app(web_uploads=True)))
    yield made
    made.close()


def change(place: Place, statement: str) -> None:
    """Change rows as passing time would."""
    with place.access._database.writing() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize(
    "password",
    [
        "twelve chars",
        "onlysmallletters",
        "738294610573",
        "пароль из слов",
        "x y z w v u t!",
        "🚦🚗🚌🚲🚶🛵🚚🚛🚜🏍🛴🛹",
    ],
)
def test_a_password_has_12_to_256_characters_of_any_kind(password: str) -> None:
    assert check_password(password, name="anna") == password
    assert check_password((password * 22)[:256], name="anna") == (password * 22)[:256]
    for wrong in (password[:11], (password * 22)[:257].ljust(257, "x")):
        with pytest.raises(Misconfigured, match="characters"):
            check_password(wrong, name="anna")


@pytest.mark.parametrize("word", ["anna", "frametally"])
def test_a_password_cannot_contain_words_of_this_product(word: str) -> None:
    for password in (f"{word} 738294610573", f"738294610573 {word.upper()}"):
        with pytest.raises(Misconfigured, match="easy to guess"):
            check_password(password, name="anna")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd1234",
        "QWERTYUIOPASDF",
        "1q2w3e4r5t6y",
        "iloveyou12345",
        "administrator",
        "trustno1trustno1",
        "abcdefghijklmnop",
        "drowssap4321",
        "unbelievable",
    ],
)
def test_a_common_or_leaked_password_is_refused_without_asking_anyone_else(
    client: Client, people: Place, password: str
) -> None:
    with pytest.raises(Misconfigured, match="common, or similar to a leaked one"):
        check_password(password, name="anna")
    people.access.put_link("lukas", credentials.token_hash("t"), lasts_s=60)
    chosen = urlencode({"password": password, "again": password})
    refused = client("POST", "/sign-in/once/t", chosen, Content_Type=FORM, **SAME)
    assert (refused.status, b"common, or similar to" in refused.body) == (400, True)
    assert password.encode() not in refused.body


def test_nearly_all_leaked_passwords_of_allowed_length_are_refused() -> None:
    breached = [one for one in FREQUENCY_LISTS["passwords"] if len(one) >= LEAST_CHARS and len(set(one)) >= 5]
    assert len(breached) > 100
    assert [one for one in breached if not is_refused(one)] == []


def is_refused(password: str) -> bool:
    try:
        check_password(password, name="anna")
    except Misconfigured:
        return True
    return False


@pytest.mark.thorough
def test_the_word_list_is_loaded_only_to_choose_a_password(place: Place) -> None:
    loaded = (
        "import sys; from frametally_web import app; from frametally_accounts import credentials as p; "
        "p.is_password(p.hash_password('x'), 'x'); before = 'zxcvbn' in sys.modules; "
        "p.check_password('nobody guesses this', name='anna'); print(before, 'zxcvbn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.thorough
def test_a_password_counts_exactly_as_it_was_sent(client: Client, people: Place) -> None:
    long = "Aé " + "x" * 252 + "1"
    people.access.set_password("lukas", hash_password(long))
    for wrong in (long[:-1], long[:-1] + "2", long.swapcase(), long.strip() + " ", f" {long}", f"{long}x"):
        assert sign_in(client, "lukas", wrong).status in (401, 429)
        change(people, "DELETE FROM frametally_login_attempts")
    assert sign_in(client, "lukas", long).status == 303


def test_password_fields_hide_their_text_and_work_with_a_password_manager(
    client: Client, people: Place
) -> None:
    people.access.put_link("lukas", credentials.token_hash("t"), lasts_s=60)
    for path, kinds in (("/sign-in", ["current-password"]), ("/sign-in/once/t", ["new-password"] * 2)):
        page = client("GET", path).body.decode()
        fields = re.findall(r'<input[^>]* type="password"[^>]*>', page)
        assert [re.findall('autocomplete="([a-z-]+)"', field)[0] for field in fields] == kinds
        assert not re.search('onpaste|<input[^>]* type="text"[^>]*password|hint|secret question', page)


def test_passwords_never_expire(client: Client, people: Place) -> None:
    change(people, "UPDATE frametally_accounts SET created_at_ms = 1")
    assert sign_in(client, "lukas").status == 303


@pytest.mark.thorough
def test_there_is_no_default_account_and_the_first_has_no_password(place: Place, serving: Serving) -> None:
    with closing(AccessBook(place.settings.catalogue_url)) as place.access:
        assert place.access.is_empty()
        settings = place.settings.model_copy(update={"web_accounts": True})
        assert first_link(settings, place.access) is not None
        client = Client(serving(place.app(web_accounts=True)))
        for password in ("", "admin", "frametally", "password"):
            assert sign_in(client, "admin", password).status == 401
        client.close()


@pytest.mark.thorough
def test_a_link_expires_after_a_day_and_does_not_skip_the_second_factor(
    client: Client, people: Place
) -> None:
    chosen = urlencode({"password": "another long one", "again": "another long one"})
    people.access.put_link("lukas", credentials.token_hash("t"), lasts_s=86_400)
    change(people, "UPDATE frametally_account_links SET ends_at_ms = ends_at_ms - 86401000")
    assert client("POST", "/sign-in/once/t", chosen, Content_Type=FORM, **SAME).status == 404
    people.access.set_code_secret("lukas", credentials.make_code_secret())
    people.access.put_link("lukas", credentials.token_hash("u"), lasts_s=86_400)
    answer = client("POST", "/sign-in/once/u", chosen, Content_Type=FORM, **SAME)
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in")
    assert "set-cookie" not in answer.headers
    assert sign_in(client, "lukas", "another long one").status == 401


@pytest.mark.thorough
def test_a_sign_in_starts_a_new_session_and_ends_the_previous_one(client: Client, people: Place) -> None:
    planted = "frametally=" + credentials.sign(credentials.make_token(), people.access.signing_key())
    first = cookie_of(sign_in(client, "lukas", Cookie=planted))
    second = cookie_of(sign_in(client, "lukas", Cookie=first))
    assert len({planted, first, second}) == 3
    statuses = [client("GET", "/api/models", Cookie=one).status for one in (planted, first, second)]
    assert statuses == [401, 401, 200]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "aged", ["seen_at_ms = seen_at_ms - 43201000", "begun_at_ms = begun_at_ms - 604801000"]
)
def test_a_session_ends_when_it_is_unused_and_finally_at_its_maximum_age(
    client: Client, people: Place, aged: str
) -> None:
    cookie = cookie_of(sign_in(client, "lukas"))
    assert client("GET", "/api/models", Cookie=cookie).status == 200
    change(people, f"{SESSIONS} {aged}")
    assert client("GET", "/api/models", Cookie=cookie).status == 401
    assert people.access.sessions() == {}


def test_only_a_sign_in_starts_a_session(client: Client, people: Place) -> None:
    for path in ("/", "/sign-in", "/api/models", "/sign-in/once/t", "/healthz"):
        assert "set-cookie" not in client("GET", path, Accept="text/html").headers
    assert "set-cookie" not in sign_in(client, "lukas", "wrong password").headers
    assert people.access.sessions() == {}


@pytest.mark.thorough
def test_every_page_leads_to_the_sign_out(client: Client) -> None:
    cookie = cookie_of(sign_in(client, "runa"))
    for path in PAGES:
        assert 'class="who small" href="/sign-in"' in client("GET", path, Cookie=cookie).body.decode(), path
    assert 'action="/sign-out"' in client("GET", "/sign-in", Cookie=cookie).body.decode()


@pytest.mark.thorough
def test_an_account_can_have_many_sessions_and_each_ends_separately(client: Client, people: Place) -> None:
    cookies = [cookie_of(sign_in(client, "lukas")) for _ in range(3)]
    client("POST", "/sign-out", "", Cookie=cookies[1], Content_Type=FORM, **SAME)
    assert [client("GET", "/api/models", Cookie=one).status for one in cookies] == [200, 401, 200]
    people.access.set_password("lukas", hash_password(PASSWORD))
    assert {client("GET", "/api/models", Cookie=one).status for one in cookies} == {401}


def test_a_sessions_rights_change_with_its_account_at_once(client: Client, people: Place) -> None:
    cookie = cookie_of(sign_in(client, "lukas"))
    people.access.remove_account("lukas")
    assert people.access.add_account(UserAccount("lukas", "run"))
    assert client("GET", "/api/models", Cookie=cookie).status == 401


def change_own(client: Client, cookie: str, **sent: str) -> Answered:
    body = urlencode({"password": "another long one", "again": "another long one", **sent})
    return client("POST", "/sign-in/password", body, Content_Type=FORM, Cookie=cookie, **SAME)


@pytest.mark.thorough
def test_people_can_change_their_password_with_the_current_one(client: Client, people: Place) -> None:
    elsewhere, here = (cookie_of(sign_in(client, "lukas")) for _ in range(2))
    assert b'href="/sign-in/password"' in client("GET", "/sign-in", Cookie=here).body
    assert b'name="current"' in client("GET", "/sign-in/password", Cookie=here).body
    for sent, line in (
        ({}, b"current password"),
        ({"current": "wrong password"}, b"current password"),
        ({"current": PASSWORD, "again": "x"}, b"two passwords differ"),
        ({"current": PASSWORD, "password": "short", "again": "short"}, b"fewer than 12"),
    ):
        refused = change_own(client, here, **sent)
        assert (refused.status, line in refused.body) == (400, True)
    assert client("GET", "/api/models", Cookie=elsewhere).status == 200
    changed = change_own(client, here, current=PASSWORD)
    assert changed.status == 303
    statuses = [client("GET", "/api/models", Cookie=one).status for one in (elsewhere, here)]
    assert statuses == [401, 401]
    assert client("GET", "/api/models", Cookie=cookie_of(changed)).status == 200
    assert sign_in(client, "lukas").status == 401
    assert sign_in(client, "lukas", "another long one").status == 303


@pytest.mark.thorough
def test_changing_a_password_needs_your_own_session_your_code_and_patience(
    client: Client, people: Place
) -> None:
    for cookie in ("", "frametally=x"):
        assert change_own(client, cookie, current=PASSWORD).headers["location"] == "/sign-in"
        assert client("GET", "/sign-in/password", Cookie=cookie).headers["location"] == "/sign-in"
    cookie = cookie_of(sign_in(client, "lukas"))
    body = urlencode({"current": PASSWORD, "password": "another long one", "again": "another long one"})
    for page, status in (({"Origin": "https://elsewhere.example"}, 403), ({}, 303)):
        asked = client("POST", "/sign-in/password", body, Content_Type=FORM, Cookie=cookie, **page)
        assert (asked.status, asked.headers.get("location", "/sign-in")) == (status, "/sign-in")
    people.access.set_code_secret("lukas", secret := credentials.make_code_secret())
    step = credentials.step_of(time.time())
    cookie = cookie_of(sign_in(client, "lukas", code=credentials.code_at(secret, step)))
    assert b'name="code"' in client("GET", "/sign-in/password", Cookie=cookie).body
    statuses = guess_until_slowed(lambda: change_own(client, cookie, current=PASSWORD))
    assert statuses == [400] * max(5, len(statuses) - 1) + [429]
    assert sign_in(client, "clara").status == 303
    change(people, "DELETE FROM frametally_login_attempts")
    assert (
        change_own(client, cookie, current=PASSWORD, code=credentials.code_at(secret, step + 1)).status == 303
    )


def end_own(client: Client, cookie: str, *sessions: str, current: str = PASSWORD) -> Answered:
    body = urlencode([("current", current), *(("session", one) for one in sessions)])
    return client("POST", "/sign-in/sessions", body, Content_Type=FORM, Cookie=cookie, **SAME)


def hash_of(cookie: str) -> str:
    return credentials.token_hash(cookie.partition("=")[2].rpartition(".")[0])


@pytest.mark.thorough
def test_people_see_where_they_are_signed_in_and_can_end_any_of_it(client: Client, people: Place) -> None:
    here, second, third = cookies = [cookie_of(sign_in(client, "lukas")) for _ in range(3)]
    others = cookie_of(sign_in(client, "clara"))
    assert b'href="/sign-in/sessions"' in client("GET", "/sign-in", Cookie=here).body
    page = client("GET", "/sign-in/sessions", Cookie=here).body.decode()
    assert sorted(re.findall('name="session" value="([^"]*)"', page)) == sorted(map(hash_of, (second, third)))
    assert page.count("<span>This browser<br>") == 1
    assert page.count("last seen <time") == 2
    assert not any(cookie.partition("=")[2][:43] in page for cookie in cookies)
    for sessions in ((), (hash_of(others),), ("x",)):
        refused = end_own(client, here, *sessions)
        assert (refused.status, b"Choose the sessions to end" in refused.body) == (400, True)
    refused = end_own(client, here, hash_of(third), current="wrong password")
    assert (refused.status, b"The password is wrong" in refused.body) == (400, True)
    assert {client("GET", "/api/models", Cookie=one).status for one in (*cookies, others)} == {200}
    assert end_own(client, here, hash_of(third), hash_of(others)).status == 303
    statuses = [client("GET", "/api/models", Cookie=one).status for one in (*cookies, others)]
    assert statuses == [200, 200, 401, 200]


@pytest.mark.thorough
def test_ending_a_sign_in_needs_your_own_session_and_patience(client: Client, people: Place) -> None:
    here, other = (cookie_of(sign_in(client, "lukas")) for _ in range(2))
    for cookie in ("", "frametally=x"):
        assert end_own(client, cookie, hash_of(other)).headers["location"] == "/sign-in"
        assert client("GET", "/sign-in/sessions", Cookie=cookie).headers["location"] == "/sign-in"
    body = urlencode({"current": PASSWORD, "session": hash_of(other)})
    sent = {"Content_Type": FORM, "Cookie": here, "Origin": "https://elsewhere.example"}
    assert client("POST", "/sign-in/sessions", body, **sent).status == 403
    statuses = guess_until_slowed(lambda: end_own(client, here, hash_of(other), current="wrong"))
    assert statuses == [400] * max(5, len(statuses) - 1) + [429]
    lengthen_waits(people)
    assert end_own(client, here, hash_of(other)).status == 429
    assert client("GET", "/api/models", Cookie=other).status == 200
