"""A store for trial changes: it answers as the store would after the change, and does not change
the store."""

from __future__ import annotations

import random
import urllib.request
from pathlib import Path

import pytest
from tests.fakes.memory import MemoryStore

from frametally.adapters.files.folder_store import FileStore
from frametally.adapters.files.trial_store import TrialStore
from frametally.ports.object_store import KeyRanges, ObjectMissing, ObjectStore

KEYS = [f"{folder}/{name}" for folder in ("a", "a/b", "c") for name in ("0", "1", "2")]


def content(store: ObjectStore) -> dict[str, bytes]:
    return {info.key: store.get(info.key) for folder in ("a", "c") for info in store.list(folder)}


@pytest.mark.thorough
def test_a_trial_store_answers_as_a_changed_store_and_leaves_the_real_one_alone(tmp_path: Path) -> None:
    rng = random.Random(7)  # noqa: S311
    for number in range(30):
        base, changed = MemoryStore(), MemoryStore()
        for key in rng.sample(KEYS, 5):
            base.put(key, key.encode())
            changed.put(key, key.encode())
        before = content(base)
        trial = TrialStore(base, tmp_path / str(number))
        for step in range(12):
            key, data = rng.choice(KEYS), b"%d" % step
            what = rng.choice(["put", "put if absent", "delete", "change"])
            for store in (trial, changed):
                if what == "delete":
                    store.delete(key)
                elif what == "change":
                    store.change(key, lambda now, data=data: None if now == b"3" else data)  # type: ignore[misc]
            if what.startswith("put"):
                absent = what != "put"
                assert trial.put(key, data, if_absent=absent) == changed.put(key, data, if_absent=absent)
            assert content(trial) == content(changed)
            assert (trial.head(key) is None) == (changed.head(key) is None)
        after = rng.choice(KEYS)
        listed = [info.key for info in trial.list("a", after)]
        assert listed == [info.key for info in changed.list("a", after)]
        known = KeyRanges([("a/0", "a/1")])
        assert [info.key for info in trial.list_unless("a", known)] == [
            info.key for info in changed.list_unless("a", known)
        ]
        assert content(base) == before
        trial.close()


def test_links_work_for_new_and_for_existing_objects(tmp_path: Path) -> None:
    base = FileStore((tmp_path / "base").as_uri())
    base.put("a/0", b"there before")
    base.put("a/2", b"to be deleted")
    trial = TrialStore(base, tmp_path / "trial")
    trial.put("a/1", b"written")
    trial.delete("a/2")
    read = [urllib.request.urlopen(trial.address(key)).read() for key in ("a/0", "a/1")]  # noqa: S310
    assert read == [b"there before", b"written"]
    with pytest.raises(ObjectMissing):
        trial.address("a/2")
    assert trial.get_range("a/1", 0, 4) == b"writ"
    assert base.get("a/2") == b"to be deleted"
