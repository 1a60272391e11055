"""The contract of every object store. For guarantees of files alone see `test_file_store.py`."""

import functools
import itertools
import os
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import obstore.store
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving.needs import server
from tests.capabilities import of_capabilities
from tests.examples import examples
from tests.fakes.at_once import at_once
from tests.fakes.credentials import renewed
from tests.fakes.memory import MemoryStore

from frametally.adapters.files.folder_store import FileStore
from frametally.adapters.s3 import bucket_store
from frametally.adapters_by_url import open_object_store
from frametally.errors import Misconfigured, Poison
from frametally.packs.packed_store import plain_of
from frametally.ports.object_store import KeyRanges, ObjectMissing, ObjectStore
from frametally.settings.access import StoreAccess
from frametally.settings.fields import SecretStr
from frametally_cli.bucket import set_up_store

RACERS = 8


def new_file_store(stack: ExitStack) -> ObjectStore:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="frametally store "))
    return open_object_store(f"file://{folder}/made on opening")


@functools.cache
def s3_access() -> StoreAccess:
    values = server("s3")
    access = StoreAccess(
        endpoint=values["URL"], access_key=values["ACCESS_KEY"], secret_key=SecretStr(values["SECRET_KEY"])
    )
    set_up_store("s3://frametally-contract", access)
    return access


def new_s3_store(stack: ExitStack) -> ObjectStore:
    """A separate folder in one bucket of the real server."""
    url = f"s3://frametally-contract/{uuid.uuid4().hex}/made on opening"
    return open_object_store(url, s3_access())


def new_s3_store_of_a_role(stack: ExitStack) -> ObjectStore:
    """The same with keys that expire within the hour, and are renewed for each access."""
    stack.enter_context(renewed(s3_access(), lives_s=300))
    url = f"s3://frametally-contract/{uuid.uuid4().hex}"
    return open_object_store(url, StoreAccess(endpoint=s3_access().endpoint))


# To add an adapter, add a line: how to make an empty store, closed and removed with the stack.
ADAPTERS: dict[str, Callable[[ExitStack], ObjectStore]] = {
    "file": new_file_store,
    "memory": lambda stack: MemoryStore(),
    "s3": new_s3_store,
    "s3 by a role": new_s3_store_of_a_role,
}
for module in of_capabilities("store_adapters"):
    ADAPTERS |= module.ADAPTERS
PARAMS = [
    pytest.param(name, marks=[pytest.mark.services] if name.startswith("s3") else []) for name in ADAPTERS
]
every_adapter = pytest.mark.parametrize("adapter", PARAMS)


@pytest.fixture(params=PARAMS)
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    with ExitStack() as stack:
        opened = ADAPTERS[request.param](stack)
        stack.callback(opened.close)
        yield opened


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("size_bytes", [0, 1, 60_000, 6_000_000])
def test_an_object_reads_back_as_it_was_put(store: ObjectStore, size_bytes: int, durable: bool) -> None:
    data = bytes(range(256)) * (size_bytes // 256) + b"\xff" * (size_bytes % 256)
    assert store.put("images/a/1.jpg", data, durable=durable)
    assert store.get("images/a/1.jpg") == data
    info = store.head("images/a/1.jpg")
    assert info[:2] == ("images/a/1.jpg", size_bytes)
    assert list(store.list("")) == [info]


@pytest.mark.parametrize("durable", [True, False])
def test_an_object_that_is_put_again_has_another_version_and_a_time(
    store: ObjectStore, durable: bool
) -> None:
    versions = []
    for data in (b"one", b"two", b"one"):
        store.delete("media/a.json")
        store.put("media/a.json", data, durable=durable)
        [info] = store.list("media")
        assert info.modified_at_ms > 1_600_000_000_000
        assert store.head("media/a.json") == info
        versions.append(info.version)
        store.put("media/a.json", data + b"!", durable=durable)
        versions.append(next(store.list("media")).version)
    assert all(one != other for one, other in itertools.pairwise(versions))


@pytest.mark.parametrize("durable", [True, False])
def test_a_put_replaces_an_object_unless_it_must_keep_the_existing_one(
    store: ObjectStore, durable: bool
) -> None:
    assert store.put("media/a.json", b"first", if_absent=True, durable=durable)
    assert not store.put("media/a.json", b"second", if_absent=True, durable=durable)
    assert store.get("media/a.json") == b"first"
    assert store.put("media/a.json", b"third", durable=durable)
    assert store.get("media/a.json") == b"third"


@pytest.mark.parametrize("durable", [True, False])
def test_exactly_one_of_8_threads_that_race_to_create_an_object_wins(
    store: ObjectStore, durable: bool
) -> None:
    keys = [f"metadata/{n}.jsonl" for n in range(20)]

    def race(name: bytes) -> list[tuple[str, bytes]]:
        return [(key, name) for key in keys if store.put(key, name, if_absent=True, durable=durable)]

    races = at_once(*(partial(race, b"%d" % n * 10_000) for n in range(RACERS)))
    won = [pair for pairs in races for pair in pairs]
    assert sorted(key for key, _ in won) == sorted(keys)
    assert all(store.get(key) == name for key, name in won)


def test_an_absent_object_is_missing_and_removing_it_is_not_an_error(store: ObjectStore) -> None:
    store.put("a/b.txt", b"1")
    for key in ("nothing", "a", "a/b.txt/c", "a/c.txt"):
        with pytest.raises(ObjectMissing, match=key):
            store.get(key)
        with pytest.raises(ObjectMissing, match=key):
            store.get_range(key, 0, 1)
        with pytest.raises(ObjectMissing, match=key):
            store.get_range(key, 1, 1)
        assert store.head(key) is None
        store.delete(key)
    assert store.get("a/b.txt") == b"1"


def test_a_removed_object_is_gone_and_can_be_created_again(store: ObjectStore) -> None:
    store.put("a/b.txt", b"1")
    store.delete("a/b.txt")
    assert store.head("a/b.txt") is None
    assert list(store.list("")) == []
    assert store.put("a/b.txt", b"2", if_absent=True)


def test_a_range_is_the_slice_of_the_object_up_to_its_end(store: ObjectStore) -> None:
    data = b"0123456789"
    store.put("a/b.txt", data)
    for first, end in itertools.product(range(13), repeat=2):
        assert store.get_range("a/b.txt", first, end) == data[first:end]


def test_a_folder_lists_only_what_is_below_it_and_no_name_with_the_same_prefix(store: ObjectStore) -> None:
    for key in ("a/1.txt", "a/b/2.txt", "ab/3.txt", "a.txt"):
        store.put(key, b"x")
    assert [info.key for info in store.list("a")] == ["a/1.txt", "a/b/2.txt"]
    assert [info.key for info in store.list("a/")] == ["a/1.txt", "a/b/2.txt"]
    assert [info.key for info in store.list("a/b")] == ["a/b/2.txt"]
    assert list(store.list("a.txt")) == []
    assert list(store.list("nothing/here")) == []


folder_names = st.text("ab-.=/", max_size=6).map(
    lambda text: "/".join(part + "f" for part in text.split("/") if part.strip("."))
)
object_keys = st.builds(
    lambda folder, name: f"{folder}/{name}.x" if folder else f"{name}.x",
    folder_names,
    st.text("ab-=", min_size=1, max_size=3),
)


@every_adapter
@settings(max_examples=examples(60))
@given(keys=st.sets(object_keys, max_size=12), prefix=folder_names, other=object_keys)
def test_a_listing_is_sorted_by_key_and_starts_above_after(
    adapter: str, keys: set[str], prefix: str, other: str
) -> None:
    with ExitStack() as stack:
        store = ADAPTERS[adapter](stack)
        for key in keys:
            store.put(key, b"x", durable=False)
        expected = sorted(key for key in keys if key.startswith(f"{prefix}/" if prefix else ""))
        assert [info.key for info in store.list(prefix)] == expected
        for after in (other, *keys):
            assert [info.key for info in store.list(prefix, after)] == [k for k in expected if k > after]


@every_adapter
@settings(max_examples=examples(30))
@given(keys=st.sets(object_keys, max_size=12), known=st.sets(object_keys), prefix=folder_names)
def test_a_listing_leaves_out_known_objects(
    adapter: str, keys: set[str], known: set[str], prefix: str
) -> None:
    with ExitStack() as stack:
        store = ADAPTERS[adapter](stack)
        for key in keys:
            store.put(key, b"x", durable=False)
        folder = prefix or "f"
        expected = [info for info in store.list(folder) if info.key not in known]
        assert list(store.list_unless(folder, KeyRanges((key, key) for key in sorted(known)))) == expected


def test_a_listing_of_unknown_objects_returns_every_valid_name(tmp_path: Path) -> None:
    store = FileStore(tmp_path.as_uri())
    for name in ("a\xa0b", "c\u3000", "e\u2028", "\x85", "x%20y", "dot."):
        store.put(f"f/{name}", b"x", durable=False)
    infos = list(store.list("f"))
    assert list(store.list_unless("f", KeyRanges())) == infos
    assert list(store.list_unless("f", KeyRanges([(infos[0].key,) * 2]))) == infos[1:]


def test_a_bucket_skips_known_objects_in_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_store, "_PAGE_KEYS", 3)
    bucket = object.__new__(bucket_store.S3Store)
    bucket._patient = obstore.store.MemoryStore()  # type: ignore[assignment]
    keys = [f"metadata/model={model}/{number:03d}" for model in ("a", "a-b") for number in range(100)]
    for key in keys:
        obstore.put(bucket._patient, key, b"x")
    pages: list[object] = []
    page_of = bucket._page
    monkeypatch.setattr(bucket, "_page", lambda folder, last: pages.append(last) or page_of(folder, last))
    known = [(f"metadata/model={model}/000", f"metadata/model={model}/097") for model in ("a-b", "a")]
    new = [info.key for info in bucket.list_unless("metadata", KeyRanges(known))]
    assert (new, len(pages)) == (sorted(key for key in keys if key[-3:] > "097"), 3)


def add_one(data: bytes | None) -> bytes:
    return b"%d" % (int(data or b"0") + 1)


def test_a_change_can_create_replace_keep_or_remove_an_object(store: ObjectStore) -> None:
    assert store.change("media/a.json", lambda data: None) is None
    assert store.head("media/a.json") is None
    assert store.change("media/a.json", add_one) == b"1"
    assert store.change("media/a.json", add_one) == b"2"
    assert store.get("media/a.json") == b"2"
    left = store.head("media/a.json")
    assert store.change("media/a.json", lambda data: data) == b"2"
    assert store.head("media/a.json") == left
    assert store.change("media/a.json", lambda data: None) is None
    assert store.head("media/a.json") is None
    assert store.change("media/a.json", add_one) == b"1"


def test_no_change_is_lost_among_many_at_once(store: ObjectStore) -> None:
    def slowly(data: bytes | None) -> bytes:
        time.sleep(0.001)  # so that another writer can intervene
        return add_one(data)

    def work() -> None:
        for _ in range(10):
            store.change("media/a.json", slowly)

    at_once(*RACERS * [work])
    assert store.get("media/a.json") == b"%d" % (10 * RACERS)


def test_a_change_never_removes_what_another_has_just_put(store: ObjectStore) -> None:
    """Each remover takes out what it read, so each addition is taken out once or still there."""
    taken: list[int] = []

    def add() -> None:
        for _ in range(20):
            store.change("media/a.json", add_one)

    def take() -> None:
        for _ in range(20):
            seen = [0]

            def all_of_it(data: bytes | None, seen: list[int] = seen) -> None:
                seen[0] = int(data or b"0")

            store.change("media/a.json", all_of_it)
            taken.append(seen[0])

    at_once(add, add, take)
    left = store.get("media/a.json") if store.head("media/a.json") else b"0"
    assert sum(taken) + int(left) == 40


ESCAPES = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a//b",
    "a/",
    "./a",
    "a/.",
    "a\0b",
    "a\nb",
    "\udcff",
]


@pytest.mark.parametrize("key", ESCAPES, ids=ascii)
def test_a_key_that_escapes_the_store_is_refused_by_every_method(store: ObjectStore, key: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.put(key, b"x"),
        lambda: store.put(key, b"x", durable=False),
        lambda: store.get(key),
        lambda: store.get_range(key, 0, 1),
        lambda: store.head(key),
        lambda: store.delete(key),
        lambda: store.address(key),
    ]
    if key.strip("/a"):
        calls.append(lambda: list(store.list(key)))
    for call in calls:
        with pytest.raises(Poison, match="relative path"):
            call()


@every_adapter
@settings(max_examples=examples(150))
@given(key=st.text(st.characters() | st.sampled_from("/.#%0"), max_size=12), durable=st.booleans())
def test_any_text_is_a_key_that_works_or_is_refused(adapter: str, key: str, durable: bool) -> None:
    with ExitStack() as stack:
        store = ADAPTERS[adapter](stack)
        try:
            store.put(key, b"data", durable=durable)
        except Poison:
            assert list(store.list("")) == []
        else:
            assert store.get(key) == b"data"
            assert [info[:2] for info in store.list("")] == [(key, 4)]
            if isinstance(plain_of(store), FileStore):
                root = Path(store.address("x")[len("file://") :].replace("%20", " ")).parent
                found = [Path(at, name) for at, _, names in os.walk(root.parent) for name in names]
                assert found == [root / key]


def test_an_address_is_a_url_that_anyone_can_read(store: ObjectStore) -> None:
    store.put("metadata/model=a b/log=%41#/é.jsonl", b"line\n")
    with urllib.request.urlopen(store.address("metadata/model=a b/log=%41#/é.jsonl")) as body:  # noqa: S310
        assert body.read() == b"line\n"


def test_an_unknown_kind_of_store_is_named_with_the_remedy() -> None:
    with pytest.raises(Misconfigured, match=r"ftp://host.*use file:///"):
        open_object_store("ftp://host")
