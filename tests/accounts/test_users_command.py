"""`frametally users`: accounts by the command line, with passwords and codes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from frametally.settings.loading import Settings
from frametally_accounts import credentials
from frametally_accounts.book import AccessBook
from frametally_accounts.credentials import hash_password, is_password
from frametally_accounts.password_links import first_link
from frametally_accounts.rights import ROLE_NAMES, as_name
from frametally_cli.main import main

PASSWORD = "nine lives and a hat"  # noqa: S105
Users = Callable[..., tuple[int, str]]


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Users:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, typed: str = "") -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = main(["users", *arguments, "--data-dir", str(tmp_path / "data")])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


def book_at(folder: Path) -> closing:  # type: ignore[type-arg]
    return closing(AccessBook(f"sqlite:///{folder / 'data' / 'catalogue.sqlite'}"))


def test_an_account_is_added_with_a_link_listed_and_removed(users: Users, tmp_path: Path) -> None:
    code, told = users("add", "Ben", "--source", "Gate 1", "--source", "harbour")
    assert code == 0
    link = re.search(r"http://127\.0\.0\.1:5001/sign-in/once/([A-Za-z0-9_-]{43})\n", told)
    assert "note: FRAMETALLY_WEB_URL is not set, so the link uses http://127.0.0.1:5001; " in told
    with book_at(tmp_path) as book:
        assert book.link(credentials.token_hash(link[1])) == "ben"
    assert users("list") == (0, "ben: role look (gate-1, harbour); no password yet; sessions: 0\n")
    assert users("remove", "ben")[0] == 0
    assert "no accounts yet" in users("list")[1]


@pytest.mark.parametrize("group", ["users", "tokens"])
def test_the_help_names_each_role_as_the_pages_do(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([group, "add", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert all(f"{role} ({name})" in told for role, name in ROLE_NAMES.items())


@pytest.mark.thorough
def test_a_password_is_read_from_a_pipe_kept_only_as_a_hash_and_never_an_argument(
    users: Users, tmp_path: Path
) -> None:
    code, told = users("add", "anna", "--role", "run", "--password", typed=f"{PASSWORD}\n")
    assert code == 0
    assert PASSWORD not in told
    with book_at(tmp_path) as book:
        kept = book.credentials("anna").password_hash
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert is_password(kept, PASSWORD)
    assert not is_password(kept, PASSWORD + " ")
    assert not is_password("", "an account that does not exist")
    data = b"".join(file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())
    assert PASSWORD.encode() not in data
    assert users("passwd", "anna", "--password", PASSWORD)[0] == 2


@pytest.mark.thorough
def test_changing_a_password_ends_the_sessions(users: Users, tmp_path: Path) -> None:
    users("add", "anna", "--password", typed=f"{PASSWORD}\n")
    with book_at(tmp_path) as book:
        assert book.begin_session("anna", "t", most_s=9)
    assert users("passwd", "anna", "--password", typed="another long sentence\n")[0] == 0
    with book_at(tmp_path) as book:
        assert book.session("t", idle_s=9, most_s=9) is None


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "typed", "line"),
    [
        (["add", "<b>x</b>"], "", "is not a valid name for an account"),
        (["add", "a" * 10_000_000], "", "is not a valid name for an account"),
        (["add", ""], "", "is not a valid name for an account"),
        (["add", "ben", "--password"], "short\n", "fewer than 12 characters"),
        (["add", "ben", "--password"], "ben and his brother\n", "easy to guess"),
        (["add", "ben", "--password"], "aaaaaaaaaaaaaaaa\n", "easy to guess"),
        (["add", "ben", "--password"], "Password1234!\n", "common, or similar to a leaked one"),
        (["add", "ben", "--password"], "x" * 10_000_000, "more than 256 characters"),
        (["add", "ben", "--password"], "", "fewer than 12 characters"),
        (["add", "ben", "--role", "god"], "", "is not one of"),
        (["add", "anna"], "", "account anna already exists"),
        (["passwd", "ben"], "", "account ben does not exist"),
        (["remove", "ben"], "", "account ben does not exist"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_input_gives_one_line_and_changes_nothing(
    users: Users, arguments: list[str], typed: str, line: str
) -> None:
    users("add", "anna")
    before = users("list")
    code, told = users(*arguments, typed=typed)
    assert code == 2
    assert line in told
    assert len(told) < 400
    assert told.count("\n") == 1
    assert users("list") == before


@pytest.mark.thorough
def test_the_last_administrator_cannot_be_removed_while_there_are_other_accounts(users: Users) -> None:
    users("add", "anna", "--role", "run")
    users("add", "ben")
    assert users("remove", "anna")[0] == 2
    users("add", "carl", "--role", "run")
    assert users("remove", "anna")[0] == 0


@pytest.mark.thorough
def test_codes_are_given_once_and_can_be_removed(users: Users, tmp_path: Path) -> None:
    users("add", "anna", "--password", typed=f"{PASSWORD}\n")
    _, told = users("passwd", "anna", "--codes")
    found = re.search(r"otpauth://totp/frametally:anna\?secret=([A-Z2-7]{32})&issuer=frametally", told)
    with book_at(tmp_path) as book:
        assert book.credentials("anna").code_secret == found[1]
        assert is_password(book.credentials("anna").password_hash, PASSWORD)
    assert "codes on" in users("list")[1]
    assert users("passwd", "anna", "--no-codes")[0] == 0
    assert "codes" not in users("list")[1]


# RFC 6238, appendix B: SHA-1, the last six of the eight digits.
@pytest.mark.parametrize(
    ("time_s", "code"),
    [
        *((59, "287082"), (1111111109, "081804"), (1111111111, "050471")),
        *((1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")),
    ],
)
def test_codes_follow_the_standard(time_s: int, code: str) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # noqa: S105 - the standard's own
    assert credentials.code_at(secret, credentials.step_of(time_s)) == code
    for other_s in (-30, 0, 30):
        assert credentials.find_step(secret, code, time_s=time_s + other_s) == credentials.step_of(time_s)
    for other_s in (-60, 60):
        assert credentials.find_step(secret, code, time_s=time_s + other_s) is None
    for other in ("", "28708", "x87082", "\uff12" * 6, "9" * 10_000_000):
        assert credentials.find_step(secret, other, time_s=time_s) is None


def test_a_signature_detects_a_changed_cookie() -> None:
    key, token = b"k" * 32, credentials.make_token()
    signed = credentials.sign(token, key)
    assert credentials.read_signed(signed, key) == token
    assert credentials.read_signed(signed, b"l" * 32) is None
    for broken in ("", token, signed[:-1], signed + "0", signed.upper(), "é" * 108, "x" * 10_000_000):
        assert credentials.read_signed(broken, key) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [(" Anna ", "anna"), ("a@b.org", "a@b.org"), ("a" * 65, None), ("-a", None), ("a\nb", None), ("", None)],
)
def test_an_account_name_has_lower_case_letters_and_no_markup(text: str, name: str | None) -> None:
    assert as_name(text) == name


def test_with_required_accounts_the_first_start_makes_one_administrator_and_a_link(tmp_path: Path) -> None:
    wanted = Settings(web_accounts=True, web_url="https://frames.example.org/")
    with closing(AccessBook(f"sqlite:///{tmp_path}/catalogue.sqlite")) as book:
        assert first_link(Settings(), book) is None
        assert book.is_empty()
        lost = first_link(wanted, book)
        link = first_link(wanted, book)
        assert [(one.name, one.role) for one in book.accounts()] == [("admin", "run")]
        assert link.startswith("https://frames.example.org/sign-in/once/")
        assert book.link(credentials.token_hash(lost.rpartition("/")[2])) is None
        assert (
            book.use_link(credentials.token_hash(link.rpartition("/")[2]), hash_password(PASSWORD)) == "admin"
        )
        assert first_link(wanted, book) is None
