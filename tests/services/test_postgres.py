"""PostgreSQL as ledger and count index of many hosts: refusals, successes, two of each at once."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import trustme
from postgres_schemas import access_of, administration, fresh_schema
from serving.needs import server
from serving.own import OwnServer, folder_for_anyone
from serving.state import with_user
from tests.fakes.records import make_count, make_coverage, make_frame, make_run, make_segment

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger, open_object_store
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.ports.ledger import Ledger
from frametally.records import Detection, IntervalCount
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr
from frametally_cli.main import main

pytestmark = pytest.mark.services

SECRET = "never-shown-0815"  # noqa: S105 - it opens nothing
DAY_MS = 1_767_225_600_000
MINUTE_MS = 60_000
RUN = make_run(parts=[])
NEWER = msgspec.structs.replace(RUN, sequence=2, run_id="000002-5555555555555555")
OPEN: list[Callable[..., CountIndex | Ledger]] = [open_count_index, open_ledger]


def count(label: str = "car", detections: int = 1, minute: int = 0) -> IntervalCount:
    return make_count(DAY_MS + minute * MINUTE_MS, label, detections, evidence=[])


COVERAGE = make_coverage(DAY_MS)


def total(index: CountIndex) -> int:
    bars = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=86_400)).buckets
    return sum(bar.detections for bar in bars)


@pytest.fixture
def place() -> Iterator[tuple[str, ServerAccess]]:
    with fresh_schema() as found:
        yield found


WRONG = {
    "a wrong password": ("{url}", "frametally", SECRET, Misconfigured, "correct {user} and {stem}_PASSWORD"),
    "an unknown user": ("{url}", "nobody-here", SECRET, Misconfigured, "correct {user} and {stem}_PASSWORD"),
    "no password": ("{url}", "frametally", "", Misconfigured, "set {user} and {stem}_PASSWORD"),
    "a missing database": ("{url}-not", None, None, Misconfigured, "create it, or correct {stem}_URL"),
    "an unknown host": (
        "postgresql://nohost.invalid/x",
        None,
        None,
        Retryable,
        "the server is down, or its name is wrong; start it, or check {stem}_URL",
    ),
    "nothing at the port": ("postgresql://127.0.0.1:1/x", None, None, Retryable, "check the server"),
}


@pytest.mark.parametrize("open_it", OPEN)
@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_is_one_line_with_the_remedy_and_without_the_password(
    open_it: Callable[..., object], wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = server("postgres")
    url, user, password, error, remedy = WRONG[wrong]
    stem = "FRAMETALLY_INDEX" if open_it is open_count_index else "FRAMETALLY_LEDGER"
    own = values["PASSWORD"] if password is None else password
    access = ServerAccess(user=user or values["USER"], password=SecretStr(own))
    caplog.set_level(logging.DEBUG)
    with pytest.raises(error) as raised:
        open_it(url.format(url=values["URL"]), access)
    user_place = f"{stem}_USER" if open_it is open_count_index else f"the name in {stem}_URL"
    assert remedy.format(stem=stem, user=user_place) in str(raised.value)
    assert "\n" not in str(raised.value)
    told = "".join(traceback.format_exception(raised.value)) + caplog.text + repr(access)
    assert not own or own not in told


def test_with_a_named_authority_only_the_server_that_it_vouches_for_is_used(tmp_path: Path) -> None:
    values = server("postgres")
    if "CA_FILE" not in values:
        pytest.skip("the server that was named has no FRAMETALLY_TEST_POSTGRES_CA_FILE")
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    own = access_of(values)

    def trusting(ca_file: Path) -> ServerAccess:
        return ServerAccess(user=own.user, password=own.password, ca_file=ca_file)

    with fresh_schema() as (url, _):
        with closing(open_count_index(url, trusting(Path(values["CA_FILE"])))) as index:
            assert index.series() == []
        for named, ca_file, remedy in (
            (url, other, "correct FRAMETALLY_INDEX_CA_FILE"),
            (url, tmp_path / "missing.pem", "correct FRAMETALLY_INDEX_CA_FILE"),
            # The same server, by a name that is not in its certificate.
            (url.replace("127.0.0.1", "localhost"), Path(values["CA_FILE"]), "use the name in the server's"),
        ):
            with pytest.raises(Misconfigured, match=remedy) as raised:
                open_count_index(named, trusting(ca_file))
            assert "\n" not in str(raised.value)


@pytest.mark.parametrize("open_it", OPEN)
def test_a_user_who_may_not_create_tables_gets_a_message(
    open_it: Callable[..., object], place: tuple[str, ServerAccess]
) -> None:
    schema = place[0].rpartition("%3D")[2]
    with administration(server("postgres")) as connection:
        connection.execute(f"REVOKE CREATE ON SCHEMA {schema} FROM CURRENT_USER".encode())
    with pytest.raises(Misconfigured, match=r"permission denied for schema .*give this user that permission"):
        open_it(*place)


def test_a_database_without_an_encoding_holds_any_label() -> None:
    """`initdb` does so if the system's locale is C."""
    values = server("postgres")
    name = f"test_{secrets.token_hex(6)}"
    with administration(values) as connection:
        locale = "TEMPLATE template0 LOCALE_PROVIDER libc ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(f"CREATE DATABASE {name} {locale}".encode())
    try:
        url = values["URL"].rpartition("/")[0] + f"/{name}"
        run = msgspec.structs.replace(RUN, run_id="000001-4444444444444444")
        with closing(open_count_index(url, access_of(values))) as index:
            index.publish(run, [count("Straßenbahn", 3)], [COVERAGE])
            assert total(index) == 3
    finally:
        with administration(values) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_index_and_ledger_may_share_a_database(place: tuple[str, ServerAccess], tmp_path: Path) -> None:
    store = open_object_store(tmp_path.as_uri())
    with closing(open_count_index(*place)) as index, closing(open_ledger(*place)) as ledger:
        assert index.publish(RUN, [count()], [COVERAGE])
        ledger.clear()
        assert ledger.models() == []
        assert total(index) == 1
    store.close()


def test_setup_creates_the_tables_of_both_and_repeating_it_is_harmless(
    place: tuple[str, ServerAccess],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, access = place
    for port in ("INDEX", "LEDGER"):
        monkeypatch.setenv(f"FRAMETALLY_{port}_URL", with_user(url, access.user))
        monkeypatch.setenv(f"FRAMETALLY_{port}_PASSWORD", access.password.get_secret_value())
    for _ in range(2):
        assert main(["setup", "--data-dir", str(tmp_path)]) == 0
        told = " ".join("".join(capsys.readouterr()).split())
        assert (told.count("has its tables"), access.password.get_secret_value() in told) == (2, False)


def test_a_text_that_the_database_cannot_hold_is_poison_and_the_day_stays_as_it_was(
    place: tuple[str, ServerAccess],
) -> None:
    with closing(open_count_index(*place)) as index:
        assert index.publish(RUN, [count()], [COVERAGE])
        with pytest.raises(Poison, match="cannot store this"):
            index.publish(NEWER, [count("nul\0byte", 9)], [COVERAGE])
        assert (index.current_runs(), total(index)) == ([RUN], 1)


class KillingHalfWay(list[IntervalCount]):
    """Counts whose server dies during the read."""

    def __init__(self, killed: OwnServer, counts: list[IntervalCount]) -> None:
        super().__init__(counts)
        self._killed = killed

    def __iter__(self) -> Iterator[IntervalCount]:
        for number, one in enumerate(super().__iter__()):
            if number == len(self) // 2:
                self._killed.signal(signal.SIGKILL)
            yield one


def test_a_server_killed_during_a_publication_loses_nothing_when_it_comes_back() -> None:
    many = [count(f"label-{number}", minute=number % 1440) for number in range(6_000)]
    with folder_for_anyone() as folder, OwnServer("postgres", folder) as own:
        place = own.values["URL"], access_of(own.values)
        with closing(open_count_index(*place)) as index, closing(open_ledger(*place)) as ledger:
            assert index.publish(RUN, [count(detections=7)], [COVERAGE])
            with pytest.raises(Retryable, match="check the server and try again") as raised:
                index.publish(NEWER, KillingHalfWay(own, many), [COVERAGE])
            assert "\n" not in str(raised.value)
            for away in (index.series, ledger.models):
                with pytest.raises(Retryable, match="Connection refused"):
                    away()
            own.up()
            # The same open ports continue: no process needs a restart.
            assert (index.current_runs(), total(index), ledger.models()) == ([RUN], 7, [])
            assert index.publish(NEWER, many, [COVERAGE])
            assert not index.publish(NEWER, many, [COVERAGE])
            assert total(index) == 6_000


def make_segments(url: str, days: int) -> int:
    """Segments of `days` days in a store; return their number of boxes."""
    with closing(open_object_store(url)) as store:
        for day in range(days):
            frames = []
            for number in range(20):
                at_ms = DAY_MS + day * 86_400_000 + number * 30_000
                frames.append(
                    make_frame(
                        at_ms,
                        number,
                        [Detection(label="car", confidence=0.9, box=(1.0, 2.0, 30.0, 40.0))],
                        source="gate",
                        size_px=(640, 480),
                        model="tiny-1",
                    )
                )
            data = make_segment(frames, [], day * 20, model="tiny-1")
            store.put(keys.segment_key("tiny-1", "log-1", "frames", 0, day * 20), data)
    return days * 20


def test_two_aggregates_and_then_two_indexers_on_two_hosts_at_once_do_no_harm(
    place: tuple[str, ServerAccess], tmp_path: Path
) -> None:
    url, access = place
    store_url = (tmp_path / "store").as_uri()
    (tmp_path / "store").mkdir()
    boxes = make_segments(store_url, days=4)

    def host(name: str, *arguments: str) -> subprocess.Popen[str]:
        # A separate folder, so that no lock of one machine can help.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FRAMETALLY_")}
        environment |= {
            "FRAMETALLY_DATA_DIR": str(tmp_path / name),
            "FRAMETALLY_STORE_URL": store_url,
            "FRAMETALLY_INDEX_URL": url,
            "FRAMETALLY_INDEX_USER": access.user,
            "FRAMETALLY_INDEX_PASSWORD": access.password.get_secret_value(),
            "FRAMETALLY_LEDGER_URL": with_user(url, access.user),
            "FRAMETALLY_LEDGER_PASSWORD": access.password.get_secret_value(),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "frametally", *arguments],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def at_once(*arguments: str) -> list[str]:
        started = [host(name, *arguments) for name in ("one", "two")]
        outputs = [process.communicate()[0] for process in started]
        assert [process.returncode for process in started] == [0, 0], outputs
        return outputs

    at_once("aggregate")
    with closing(open_object_store(store_url)) as store:
        pointers = [key for info in store.list(keys.OUTPUT) if (key := keys.parse_run_pointer_key(info.key))]
    assert sorted((pointer.day, pointer.sequence) for pointer in pointers) == [
        (f"2026-01-0{day}", 1) for day in (1, 2, 3, 4)
    ]
    with closing(open_ledger(with_user(url, access.user), access)) as ledger:
        database = cast(Any, ledger)._database
        with database.writing() as connection:
            connection.execute("UPDATE frametally_ledger_hour_sums SET hour = hour + 2400")
    again = host("one", "aggregate")
    said, _ = again.communicate()
    assert again.returncode == 0
    assert "filled it again from the headers of all segments" in said
    assert "4 up to date" in said
    at_once("index")
    with closing(open_count_index(url, access)) as index:
        assert [run.day for run in index.current_runs()] == [f"2026-01-0{day}" for day in (1, 2, 3, 4)]
        assert index.labels("tiny-1") == [("car", boxes)]
    at_once("ledger", "rebuild")
    with closing(open_ledger(url, access)) as ledger:
        assert ledger.tallies("tiny-1") == [("gate", "ab" * 32, boxes, 0)]
        assert [counted.frames for counted in ledger.runs()] == [{"gate": 20}] * 4
