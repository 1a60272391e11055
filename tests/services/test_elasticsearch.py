"""Elasticsearch as count index: refusals, successes, leftovers, and the rights that it needs."""

from __future__ import annotations

import base64
import logging
import re
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import trustme
from elastic_transport import ConnectionError as AwayError
from elasticsearch_indices import access_of, administration, fresh_alias
from serving.needs import server
from serving.own import OwnServer, folder_for_anyone
from tests.fakes.at_once import at_once
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_count, make_coverage, make_run, put_run

from elasticsearch import BadRequestError, Elasticsearch
from frametally import keys
from frametally.adapters.day_cells.day_index import MomentGone
from frametally.adapters_by_url import open_count_index
from frametally.errors import BEFORE_FIRST_RELEASE, FrametallyError, Misconfigured, Poison, Retryable, TooOld
from frametally.ports.count_index import CountIndex, CountQuery, IndexDamaged
from frametally.process.reports import NoProgress
from frametally.process.time_limit import TookTooLong, time_limit
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.settings.access import ServerAccess
from frametally.settings.fields import SecretStr
from frametally_cli.main import main
from frametally_search.index import publication as elasticsearch_publication
from frametally_search.index import search_access
from frametally_search.index.documents import documents
from frametally_search.index.queries import Moment, SharedMoment
from frametally_search.indexer import index_runs

pytestmark = pytest.mark.services

SECRET = "never-shown-0815"  # noqa: S105 - it opens nothing
DAY_MS = 1_767_225_600_000
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, ServerAccess]]:
    with fresh_alias() as found:
        yield found


@pytest.fixture(scope="module")
def shared(place: tuple[str, ServerAccess]) -> Iterator[CountIndex]:
    """One index for the tests that only need separate models."""
    with closing(open_count_index(*place)) as index:
        yield index


@pytest.fixture
def admin() -> Iterator[Elasticsearch]:
    with administration(server("elasticsearch")) as client:
        yield client


@pytest.fixture
def model(request: pytest.FixtureRequest) -> str:
    return request.node.name[:60]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused requests are retried three times within a second, not for a minute and a half."""
    monkeypatch.setattr(elasticsearch_publication, "_RETRIES", 3)
    monkeypatch.setattr(elasticsearch_publication, "_FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(elasticsearch_publication, "_LONGEST_PAUSE_S", 0.2)


def run(model: str, sequence: int = 1, *, day: str = "2026-01-01", params: str = "0" * 8) -> Run:
    return make_run(sequence, model=model, day=day, params=params)


def count(model: str, number: int = 0, *, label: str | None = None, detections: int = 1) -> IntervalCount:
    start_ms, label = DAY_MS + number % 1440 * MINUTE_MS, label or f"label-{number // 1440}"
    return make_count(start_ms, label, detections, model=model, evidence=[])


def coverage(model: str, frames: int = 1) -> Coverage:
    return make_coverage(DAY_MS, frames, model=model)


def total(index: CountIndex, model: str) -> int:
    return sum(boxes for _, boxes in index.labels(model))


def index_of(url: str) -> str:
    """The index of a URL's alias."""
    *_, name = urlsplit(url.removeprefix("elasticsearch+")).path.split("/")
    return f"{name or search_access.DEFAULT_ALIAS}-v2"


class Died(Exception):
    """Simulates the end of the process."""


def before_document(patch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Have the indexer `act` in mid-publication, before it sends its `number`-th document."""

    def interrupted(*arguments: Any) -> Iterator[Any]:
        for at, document in enumerate(documents(*arguments)):
            if at == number:
                act()
            yield document

    patch.setattr(elasticsearch_publication, "documents", interrupted)


def of_model(admin: Elasticsearch, place: tuple[str, ServerAccess], model: str, **terms: Any) -> list[Any]:
    """Documents of a model in the index itself, independent of queries."""
    index = index_of(place[0])
    admin.indices.refresh(index=index)
    filters = [{"term": {name: value}} for name, value in {"model": model, **terms}.items()]
    return admin.search(index=index, query={"bool": {"filter": filters}}, size=10_000)["hits"]["hits"]


WRONG: dict[str, tuple[str, str | None, str | None, type[FrametallyError], str]] = {
    "a wrong password": ("{url}", None, SECRET, Misconfigured, "correct FRAMETALLY_INDEX_USER and"),
    "an unknown user": ("{url}", "nobody-here", SECRET, Misconfigured, "correct FRAMETALLY_INDEX_USER and"),
    "no user": ("{url}", "", "", Misconfigured, "correct FRAMETALLY_INDEX_USER and"),
    "nothing at the port": ("elasticsearch+http://127.0.0.1:1", None, None, Retryable, "check the server"),
    "an unknown host": (
        "elasticsearch+http://nohost.invalid",
        None,
        None,
        Retryable,
        "the server is down, or its name is wrong; start it, or check FRAMETALLY_INDEX_URL",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_is_one_line_with_the_remedy_and_without_the_password(
    wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = server("elasticsearch")
    url, user, password, error, remedy = WRONG[wrong]
    own = values["PASSWORD"] if password is None else password
    access = ServerAccess(user=values["USER"] if user is None else user, password=SecretStr(own))
    caplog.set_level(logging.DEBUG)
    with pytest.raises(error, match=remedy) as raised:
        open_count_index(url.format(url=values["URL"]), access)
    assert "\n" not in str(raised.value)
    told = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert not own or own not in told


class TestRights:
    """Three roles as shipped: one sets up, one indexes, one reads."""

    def test_each_role_can_do_its_part_and_no_more(self) -> None:
        values = server("elasticsearch")
        if "INDEXER_PASSWORD" not in values:
            pytest.skip("the server that was named has no users of frametally's roles")
        with fresh_alias() as (url, _), ExitStack() as stack:

            def opened(role: str) -> CountIndex:
                return stack.enter_context(closing(open_count_index(url, access_of(values, role))))

            for role in ("indexer", "dashboard"):
                with pytest.raises(Misconfigured, match=r"is unauthorized for user.*roles\.yml"):
                    opened(role)  # it does not exist, and they may not create it
            setting_up = opened("setup")
            with pytest.raises(Misconfigured, match="is unauthorized"):
                setting_up.current_runs()
            indexer, dashboard = opened("indexer"), opened("dashboard")
            for sequence in (1, 2):
                assert indexer.publish(run("m", sequence), [count("m")], [coverage("m")])
            assert total(dashboard, "m") == 1
            dashboard.check()
            with pytest.raises(Misconfigured, match="is unauthorized"):
                dashboard.publish(run("m", 3), [count("m")], [coverage("m")])
            assert dashboard.current_runs() == [run("m", 2)]


def test_setup_creates_the_index_once_checks_permissions_and_names_missing_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = server("elasticsearch")
    if "SETUP_PASSWORD" not in values:
        pytest.skip("the server that was named has no users of frametally's roles")
    with fresh_alias() as (url, _):

        def setup(role: str, *options: str) -> tuple[int, str]:
            access = access_of(values, role)
            monkeypatch.setenv("FRAMETALLY_INDEX_URL", url)
            monkeypatch.setenv("FRAMETALLY_INDEX_USER", access.user)
            monkeypatch.setenv("FRAMETALLY_INDEX_PASSWORD", access.password.get_secret_value())
            code = main(["setup", "--data-dir", str(tmp_path), *options])
            told = "".join(capsys.readouterr())
            assert access.password.get_secret_value() not in told
            return code, " ".join(told.split())

        code, told = setup("setup", "--check")
        assert (code, "does not exist: run" in told) == (2, True)
        for _ in range(2):
            code, told = setup("setup")
            assert (code, "has its template, its index" in told) == (0, True)
        for role, stage in (("indexer", "search"), ("dashboard", "web")):
            code, told = setup(role, "--check", "--stage", stage)
            assert (code, f"every permission that the stage {stage} needs" in told) == (0, True)
        code, told = setup("dashboard", "--check", "--stage", "search")
        assert code == 2
        assert re.search(r"lacks permissions that the stage search needs: index \(\S+-v2\), delete \(", told)


def test_another_programs_index_is_refused_and_left_alone(admin: Elasticsearch) -> None:
    with fresh_alias() as (url, access):
        index = index_of(url)
        admin.indices.create(index=index, mappings={"properties": {"x": {"type": "keyword"}}})
        with pytest.raises(Misconfigured, match="another program's index"):
            open_count_index(url, access)
        assert set(admin.indices.get_mapping(index=index)[index]["mappings"]["properties"]) == {"x"}


def test_an_index_removed_meanwhile_is_one_line_and_never_recreated_by_accident(admin: Elasticsearch) -> None:
    with fresh_alias() as (url, access), closing(open_count_index(url, access)) as index:
        name = index_of(url)
        admin.indices.delete(index=name)
        for ask in (index.series, index.check):
            with pytest.raises(Misconfigured, match="run `frametally setup`"):
                ask()
        admin.index(index=name, id="x", document={"kind": "count"})
        with pytest.raises(Exception, match="strict_dynamic_mapping_exception"):
            admin.index(index=name, id="y", document={"unknown": 1})


def test_a_bad_document_among_a_thousand_is_named_and_the_day_stays_as_it_was(
    shared: CountIndex, admin: Elasticsearch, place: tuple[str, ServerAccess], model: str
) -> None:
    assert shared.publish(run(model), [count(model, detections=5)], [coverage(model)])
    thousand = [count(model, number) for number in range(999)] + [count(model, label="x" * 40_000)]
    with pytest.raises(Poison, match=r"refuses [1-9] of \d{4} documents, such as .*immense term") as raised:
        shared.publish(run(model, 2), thousand, [coverage(model)])
    assert "\n" not in str(raised.value)
    assert (total(shared, model), len(of_model(admin, place, model, sequence=2))) == (5, 0)
    assert shared.publish(run(model, 2), thousand[:999], [coverage(model)])
    assert total(shared, model) == 999


BLOCKS = {"the disk is full": "read_only_allow_delete", "no writes": "write", "read-only": "read_only"}


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.usefixtures("impatient")
def test_a_read_only_index_is_one_line_and_nothing_is_lost(block: str, admin: Elasticsearch) -> None:
    with fresh_alias() as (url, access), closing(open_count_index(url, access)) as index:
        name = index_of(url)
        assert index.publish(run("m"), [count("m", detections=5)], [coverage("m")])
        admin.indices.put_settings(index=name, settings={f"index.blocks.{BLOCKS[block]}": True})
        with pytest.raises(Retryable, match="the index is read-only: free some space") as raised:
            index.publish(run("m", 2), [count("m", detections=6)], [coverage("m")])
        assert "\n" not in str(raised.value)
        assert total(index, "m") == 5
        admin.indices.put_settings(index=name, settings={f"index.blocks.{BLOCKS[block]}": None})
        assert index.publish(run("m", 2), [count("m", detections=6)], [coverage("m")])
        assert total(index, "m") == 6


def test_a_write_refused_with_429_is_retried_until_it_succeeds(
    admin: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_alias() as (url, access), closing(open_count_index(url, access)) as index:
        name = index_of(url)
        block = "index.blocks.read_only_allow_delete"  # answers 429
        admin.indices.put_settings(index=name, settings={block: True})
        is_sent = threading.Event()
        before_document(monkeypatch, 2_000, is_sent.set)
        counts = [count("m", number) for number in range(5_000)]
        publication = threading.Thread(target=index.publish, args=(run("m"), counts, [coverage("m")]))
        publication.start()
        assert is_sent.wait(60)  # the first request is in progress
        admin.indices.put_settings(index=name, settings={block: None})
        publication.join()
        assert total(index, "m") == 5_000


def test_leftovers_of_a_failed_attempt_at_the_same_run_are_not_counted(
    shared: CountIndex,
    admin: Elasticsearch,
    place: tuple[str, ServerAccess],
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die() -> None:
        raise Died

    counts = [count(model, number, detections=9) for number in range(2_600)]
    before_document(monkeypatch, 2_500, die)
    with pytest.raises(Died):
        shared.publish(run(model), counts, [coverage(model)])
    monkeypatch.undo()
    assert len(of_model(admin, place, model)) > 1_000  # some were sent
    assert shared.publish(run(model), [count(model)], [coverage(model)])
    assert total(shared, model) == 1
    assert {hit["_source"].get("detections", 1) for hit in of_model(admin, place, model)} == {1}


def test_killed_at_any_request_the_next_publication_succeeds_and_leaves_nothing_behind(
    shared: CountIndex,
    admin: Elasticsearch,
    place: tuple[str, ServerAccess],
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = shared._cluster._client  # type: ignore[attr-defined]
    left = [0]
    perform = type(client.transport).perform_request

    def dying(self: Any, *arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == -1:
            raise Died
        return perform(self, *arguments, **options)

    sums = set()
    for number, requests in enumerate(range(1, 12), start=1):
        counts = [count(model, minute, detections=number) for minute in range(3)]
        left[0] = requests
        monkeypatch.setattr(type(client.transport), "perform_request", dying)
        try:
            shared.publish(run(model, number), counts, [coverage(model, number)])
            completed = True
        except Died:
            completed = False
        monkeypatch.undo()
        [frames] = [source.frames for source in shared.sources(model)] or [0]
        sums.add((total(shared, model) == 3 * number, frames == number))
        assert sums <= {(True, True), (False, False)}  # the new or the old, in both counts and coverage
        if not completed and number % 2:  # every other time the next run arrives instead
            shared.publish(run(model, number), counts, [coverage(model, number)])
    assert sums == {(True, True), (False, False)}
    last = run(model, 99)
    assert shared.publish(last, [count(model)], [coverage(model)])
    assert {hit["_source"]["sequence"] for hit in of_model(admin, place, model)} == {99}


def test_a_lost_answer_does_not_apply_a_change_twice(
    shared: CountIndex, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = shared._cluster  # type: ignore[attr-defined]
    node = next(iter(cluster._client.transport.node_pool.all()))
    perform, lost = type(node).perform_request, []

    def losing(self: Any, method: str, target: str, *arguments: Any, **options: Any) -> Any:
        answer = perform(self, method, target, *arguments, **options)
        if method in ("PUT", "POST") and "_search" not in target and target not in lost:
            lost.append(target)  # done, and the answer is lost
            raise AwayError("reset by peer")
        return answer

    monkeypatch.setattr(type(node), "perform_request", losing)
    for sequence in (1, 2):
        shared.publish(run(model, sequence), [count(model, detections=sequence)], [coverage(model)])
    monkeypatch.undo()
    assert len(lost) > 3
    assert [one.sequence for one in shared.current_runs() if one.model == model] == [2]
    assert total(shared, model) == 2


def test_the_newer_of_two_runs_published_at_once_stays_whole(
    shared: CountIndex, admin: Elasticsearch, place: tuple[str, ServerAccess], model: str
) -> None:
    for round_number in range(3):
        first = 1 + 2 * round_number
        runs = [
            (run(model, n), [count(model, at, detections=n) for at in range(100)], [coverage(model, n)])
            for n in (first, first + 1)
        ]
        at_once(*(partial(shared.publish, *one) for one in runs))
        assert total(shared, model) == 100 * (first + 1)
    shared.publish(run(model, 99), [count(model)], [coverage(model)])
    assert {hit["_source"]["sequence"] for hit in of_model(admin, place, model)} == {99}


@pytest.mark.parametrize(("first", "between", "published"), [(3, 2, True), (2, 3, False)])
def test_a_run_published_just_before_another_becomes_current_harms_neither(
    shared: CountIndex,
    admin: Elasticsearch,
    place: tuple[str, ServerAccess],
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    first: int,
    between: int,
    published: bool,
) -> None:
    check = elasticsearch_publication._check_all_are_there
    flipped: list[str] = []

    def publish(sequence: int) -> bool:
        counts = [count(model, number, detections=sequence) for number in range(50)]
        return shared.publish(run(model, sequence), counts, [coverage(model)])

    def then_the_other(cluster: Any, mark: str, sent: set[str]) -> None:
        check(cluster, mark, sent)
        if f"run={first:06d}-" in mark and not flipped:
            flipped.append(mark)
            assert publish(between)

    monkeypatch.setattr(elasticsearch_publication, "_check_all_are_there", then_the_other)
    assert publish(first) is published
    assert total(shared, model) == 50 * 3
    assert {hit["_source"]["sequence"] for hit in of_model(admin, place, model)} == {3}


def test_a_query_does_not_see_a_run_published_while_it_is_running(
    shared: CountIndex,
    place: tuple[str, ServerAccess],
    admin: Elasticsearch,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def publish(sequence: int) -> None:
        counts = [count(model, number, detections=sequence) for number in range(50)]
        assert shared.publish(run(model, sequence), counts, [coverage(model, sequence)])

    read, newer = Moment.sources, iter(range(2, 99))

    def publish_before(self: Moment, *asked: Any) -> dict[str, dict[str, Any]]:
        publish(next(newer))  # the documents that are read are deleted by now
        admin.indices.refresh(index=index_of(place[0]))
        return read(self, *asked)

    publish(1)
    monkeypatch.setattr(Moment, "sources", publish_before)
    for sequence in (1, 2):
        seen = shared.histogram(CountQuery(model=model, base_interval_s=60, interval_s=86_400))
        assert [(bar.detections, bar.peak) for bar in seen.buckets] == [(50 * sequence, sequence)]
        assert [covered.frames for covered in seen.coverage] == [sequence]


def test_a_search_through_the_alias_shows_each_box_once(
    shared: CountIndex, admin: Elasticsearch, place: tuple[str, ServerAccess], model: str
) -> None:
    for sequence in (1, 2):
        shared.publish(run(model, sequence), [count(model, n) for n in range(90)], [coverage(model)])
    alias = place[0].rpartition("/")[2]
    admin.indices.refresh(index=alias)
    found = admin.search(
        index=alias,
        query={"term": {"model": model}},
        aggs={"boxes": {"sum": {"field": "detections"}}, "frames": {"sum": {"field": "frames"}}},
    )["aggregations"]
    assert found["boxes"]["value"] == 90 == total(shared, model)


def test_a_query_ends_at_the_callers_time_limit(shared: CountIndex, model: str) -> None:
    shared.publish(run(model), [count(model)], [coverage(model)])
    with pytest.raises(TookTooLong), time_limit(1e-9):
        shared.series()
    with time_limit(60.0):
        assert total(shared, model) == 1


def test_with_a_named_authority_only_a_server_that_it_vouches_for_is_used(
    tmp_path: Path, place: tuple[str, ServerAccess]
) -> None:
    from tls_front import TlsFront

    authority, other = trustme.CA(), trustme.CA()
    url, access = place
    port = int(url.rpartition("/")[0].rpartition(":")[2])
    alias = url.rpartition("/")[2]
    with TlsFront(authority.issue_cert("127.0.0.1"), port) as front:
        for vouched, ca in ((True, authority), (False, other)):
            ca_file = tmp_path / f"{vouched}.pem"
            ca.cert_pem.write_to_path(str(ca_file))
            trusting = ServerAccess(user=access.user, password=access.password, ca_file=ca_file)
            safe_url = f"elasticsearch+https://127.0.0.1:{front.port}/{alias}"
            if vouched:
                with closing(open_count_index(safe_url, trusting)) as index:
                    index.check()
            else:
                with pytest.raises(Misconfigured, match="correct FRAMETALLY_INDEX_CA_FILE") as raised:
                    open_count_index(safe_url, trusting)
                assert "\n" not in str(raised.value)


@pytest.mark.timeout(900)  # it starts twice
def test_a_server_killed_during_a_bulk_request_loses_nothing_when_it_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = [count("m", number) for number in range(10_000)]
    with folder_for_anyone() as folder, OwnServer("elasticsearch", folder) as own:
        values: Mapping[str, str] = own.values
        with closing(open_count_index(values["URL"], access_of(values))) as index:
            assert index.publish(run("m"), [count("m", detections=7)], [coverage("m")])
            before_document(monkeypatch, 5_000, lambda: own.signal(signal.SIGKILL))
            with pytest.raises(Retryable, match="check the server and try again") as raised:
                index.publish(run("m", 2), many, [coverage("m")])
            monkeypatch.undo()
            assert "\n" not in str(raised.value)
            with pytest.raises(Retryable):
                index.series()
            own.up()
            assert (total(index, "m"), index.current_runs()) == (7, [run("m")])
            assert index.publish(run("m", 2), many, [coverage("m")])
            assert not index.publish(run("m", 2), many, [coverage("m")])
            assert total(index, "m") == 10_000


def given_up(shared: SharedMoment) -> None:
    """Delete the point in time that readers share, as if it had expired."""
    assert shared._moment is not None
    shared._moment.close()


def test_a_point_in_time_that_the_server_has_closed_is_opened_again(
    place: tuple[str, ServerAccess], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_search.index.queries._LOOKUPS_AT_ONCE", 0)
    with closing(open_count_index(*place)) as index:
        index.publish(run(model), [count(model)], [coverage(model)])
        assert total(index, model) == 1
        given_up(index._shared)  # type: ignore[attr-defined]
        seen = index.histogram(CountQuery(model=model, base_interval_s=60))
        assert [bar.detections for bar in seen.buckets] == [1]
        with index.one_moment():
            version = index.version()
            given_up(index._shared)  # type: ignore[attr-defined]
            assert index.evidence(CountQuery(model=model, base_interval_s=60)) == []
            assert index.version() == version


def test_no_answer_mixes_two_states_if_a_point_in_time_closes_and_a_run_is_published(
    place: tuple[str, ServerAccess], model: str
) -> None:
    asked = CountQuery(model=model, base_interval_s=60)
    with closing(open_count_index(*place)) as index:
        index.publish(run(model), [count(model)], [coverage(model)])
        with index.one_moment():
            assert total(index, model) == 1
            given_up(index._shared)  # type: ignore[attr-defined]
            index.publish(run(model, 2), [count(model, detections=2)], [coverage(model)])
            with pytest.raises(MomentGone, match="try again"):
                index.histogram(asked)
        assert [bar.detections for bar in index.histogram(asked).buckets] == [2]


def test_readers_in_many_threads_each_see_one_state_and_leave_no_point_in_time_open(
    admin: Elasticsearch,
) -> None:
    def points() -> int:
        of_all = admin.indices.stats(index=index_of(url), metric="search")["_all"]["total"]
        return of_all["search"]["open_contexts"]

    def read() -> None:
        while not is_over.is_set():
            with index.one_moment():
                boxes, seen = total(index, "m"), index.histogram(CountQuery("m", 60, 86_400))
                states.add((boxes, seen.buckets[0].detections, seen.coverage[0].frames))

    states: set[tuple[int, int, int]] = set()
    is_over = threading.Event()
    with fresh_alias() as (url, access):
        with closing(open_count_index(url, access)) as index:
            index.publish(run("m"), [count("m")], [coverage("m")])
            threads = [threading.Thread(target=read) for _ in range(4)]
            for thread in threads:
                thread.start()
            for number in range(2, 8):
                index.publish(run("m", number), [count("m", detections=number)], [coverage("m", number)])
            is_over.set()
            for thread in threads:
                thread.join()
            assert points() == 1
        assert points() == 0
    assert states <= {(number,) * 3 for number in range(1, 8)}
    assert len(states) > 1


def test_an_index_from_before_the_first_release_is_named_and_not_changed(admin: Elasticsearch) -> None:
    with fresh_alias() as (url, access):
        alias = url.rpartition("/")[2]
        admin.indices.create(index=f"{alias}-v1", aliases={alias: {}})
        before = admin.indices.get(index=f"{alias}-v1").body
        with pytest.raises(TooOld, match=rf"{alias}-v1\) {BEFORE_FIRST_RELEASE}; set another alias"):
            open_count_index(url, access)
        assert admin.indices.get(index=f"{alias}*").body == before


@pytest.mark.parametrize("kind", ["cells", "day", "count"])
def test_a_missing_document_is_reported_and_repaired_and_never_lowers_a_count(
    admin: Elasticsearch, kind: str
) -> None:
    shown = Evidence(image_path="images/a", captured_at_ms=DAY_MS, count=1)
    counts = [msgspec.structs.replace(count("m", number), evidence=[shown]) for number in range(3)]
    with fresh_alias(shards=3) as (url, access), closing(open_count_index(url, access)) as index:
        name = index_of(url)
        assert index.publish(run("m"), counts, [coverage("m")])
        admin.indices.refresh(index=name)
        for hit in admin.search(index=name, query={"term": {"kind": kind}}, size=99)["hits"]["hits"]:
            admin.delete(index=name, id=hit["_id"], refresh=True)
        asked = CountQuery(
            model="m", base_interval_s=60, from_ms=DAY_MS + (MINUTE_MS if kind == "count" else 0)
        )
        with pytest.raises(IndexDamaged, match=r"2026-01-01; run `frametally index --repair`"):
            index.evidence(asked)
        assert index.differing_sources(run("m"), counts, [coverage("m")]) == ["gate"]
        index.remove(run("m"))
        assert index.publish(run("m"), counts, [coverage("m")])
        assert [item.evidence for item in index.evidence(asked)] == [shown]


def test_cells_with_changed_bytes_are_reported(admin: Elasticsearch) -> None:
    with fresh_alias() as (url, access), closing(open_count_index(url, access)) as index:
        name = index_of(url)
        assert index.publish(run("m"), [count("m")], [coverage("m")])
        [hit, *_] = admin.search(index=name, query={"term": {"step_s": 86_400}})["hits"]["hits"]
        packed = bytearray(base64.b64decode(hit["_source"]["packed"]))
        packed[len(packed) // 2] ^= 1
        changed = {"packed": base64.b64encode(packed).decode()}
        admin.update(index=name, id=hit["_id"], doc=changed, refresh=True)
        with pytest.raises(IndexDamaged, match="its counts on 2026-01-01"):
            index.labels("m")


@pytest.mark.timeout(600)  # the setting that keeps a shard away is the whole server's: it has its own
def test_a_missing_shard_is_one_line_with_the_remedy_and_never_lowers_a_count() -> None:
    keep_away = "cluster.routing.allocation.node_initial_primaries_recoveries"
    with folder_for_anyone() as folder, OwnServer("elasticsearch", folder) as own, ExitStack() as stack:
        url, access = f"{own.values['URL']}?shards=3", access_of(own.values)
        admin = stack.enter_context(administration(own.values))
        index = stack.enter_context(closing(open_count_index(url, access)))
        for day in range(6):
            start_ms = DAY_MS + day * 1440 * MINUTE_MS
            counts = [make_count(start_ms, "car", 1, model="m", evidence=[])]
            filmed = [make_coverage(start_ms, 1, model="m")]
            assert index.publish(run("m", day=keys.utc_day(start_ms)), counts, filmed)
        assert total(index, "m") == 6  # and all cells of days are in memory
        another = stack.enter_context(closing(open_count_index(url, access)))
        [node] = admin.nodes.info(filter_path="nodes.*.name")["nodes"].values()
        for shard in range(3):
            admin.cluster.put_settings(transient={keep_away: 0})
            cancel = {"index": index_of(url), "shard": shard, "node": node["name"], "allow_primary": True}
            admin.cluster.reroute(commands=[{"cancel": cancel}], metric="none")
            for reader in (index, another):
                with pytest.raises(Retryable, match="parts of the count index are missing") as raised:
                    total(reader, "m")
                assert "\n" not in str(raised.value)
            admin.cluster.put_settings(transient={keep_away: None})
            admin.cluster.health(index=index_of(url), wait_for_status="green", timeout="60s")
            assert total(index, "m") == total(another, "m") == 6


def test_shards_that_open_their_snapshots_one_after_another_never_mix_two_states(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fresh_alias(shards=3) as (url, access), closing(open_count_index(url, access)) as index:
        assert index.publish(run("m"), [count("m", detections=1)], [coverage("m")])
        read, late = Moment.sources, [True]

        def of_a_later_shard(self: Moment, ids: Any, field: str) -> dict[str, dict[str, Any]]:
            if late and field == "packed":
                late.clear()  # the shards of the cells opened theirs when the day's older run was deleted
                assert index.publish(run("m", 2), [count("m", detections=2)], [coverage("m")])
                return {}
            return read(self, ids, field)

        monkeypatch.setattr(Moment, "sources", of_a_later_shard)
        seen = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=86_400))
        assert [bar.detections for bar in seen.buckets] == [2]
        assert not late


def test_a_rollover_by_others_moves_only_the_alias_and_setup_moves_it_back(admin: Elasticsearch) -> None:
    with fresh_alias() as (url, access), closing(open_count_index(url, access)) as index:
        alias = url.rpartition("/")[2]
        rolled = f"{alias}-000002"
        assert index.publish(run("m"), [count("m", detections=5)], [coverage("m")])
        try:
            with pytest.raises(BadRequestError, match="does not match pattern"):  # as a policy would try it
                admin.indices.rollover(alias=alias)
            admin.indices.rollover(alias=alias, new_index=rolled)
            assert total(index, "m") == 5
            assert index.publish(run("m", 2), [count("m", detections=6)], [coverage("m")])
            assert total(index, "m") == 6
            assert admin.count(index=rolled)["count"] == 0
            search_access.set_up(index._cluster)  # type: ignore[attr-defined]
            assert f"{alias}-v2" in admin.indices.get_alias(name=alias)
        finally:
            admin.options(ignore_status=404).indices.delete(index=rolled)


def test_a_policy_may_give_the_index_a_priority_nodes_and_replicas(admin: Elasticsearch) -> None:
    allowed = {"priority": 50, "number_of_replicas": 0, "routing.allocation.require._name": "*"}
    with fresh_alias() as (url, access), closing(open_count_index(url, access)) as index:
        assert index.publish(run("m"), [count("m", detections=5)], [coverage("m")])
        admin.indices.put_settings(index=index_of(url), settings={"index": allowed})
        assert index.publish(run("m", 2), [count("m", detections=6)], [coverage("m")])
        assert total(index, "m") == 6
        search_access.set_up(index._cluster)  # type: ignore[attr-defined]
        assert admin.indices.get_settings(index=index_of(url), name="index.priority")


def test_an_index_deleted_by_a_policy_is_one_line_and_is_restored_from_the_store(
    admin: Elasticsearch,
) -> None:
    store = MemoryStore()
    published = msgspec.structs.replace(run("m"), frames=1)
    put_run(store, published, [count("m")], [coverage("m")])
    with fresh_alias() as (url, access), closing(open_count_index(url, access)) as index:
        index_runs(store=store, index=index, progress=NoProgress())
        before = index.labels("m")
        admin.indices.delete(index=index_of(url))
        with pytest.raises(Misconfigured, match="run `frametally setup`"):
            index.labels("m")
        with closing(open_count_index(url, access)) as again:
            index_runs(store=store, index=again, progress=NoProgress())
            assert again.labels("m") == before != []
