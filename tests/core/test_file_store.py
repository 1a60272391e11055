"""The file store's guarantees beyond the contract: no half-written file is visible, no durable one
is lost."""

import errno
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.kit.processes import run_program

from frametally.adapters.files.folder_store import FileStore
from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.ports.object_store import KeyRanges, ObjectInfo

RACERS = 8


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def folders_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir())


_RACE = """
import sys
from frametally.adapters.files.folder_store import FileStore
store = FileStore(sys.argv[1])
name = sys.argv[2].encode() * 50_000
print("ready", flush=True)
sys.stdin.readline()
print(*[n for n in range(30) if store.put(f"metadata/{n}.jsonl", name, if_absent=True, durable=n % 2 == 0)])
"""


@pytest.mark.thorough
def test_exactly_one_of_8_processes_that_race_to_create_an_object_wins(root: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _RACE, f"file://{root}", str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(RACERS)
    ]
    for racer in racers:
        assert racer.stdout and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("\n")
        racer.stdin.flush()
    wins = [(int(key), n) for n, racer in enumerate(racers) for key in racer.communicate()[0].split()]
    assert sorted(key for key, _ in wins) == list(range(30))
    store = FileStore(f"file://{root}")
    assert all(store.get(f"metadata/{key}.jsonl") == b"%d" % n * 50_000 for key, n in wins)
    assert len(files_below(root)) == 30  # no staging file remains


def test_a_reopened_folder_still_has_its_objects(root: Path) -> None:
    FileStore(f"file://{root}").put("a/b.txt", b"1")
    assert FileStore(root.as_uri()).get("a/b.txt") == b"1"


def test_any_folder_name_can_be_given_percent_encoded(tmp_path: Path) -> None:
    folder = tmp_path / "a b#c?d%41é"
    store = FileStore(folder.as_uri())
    for durable in (True, False):
        store.put(f"x/{durable}", b"1", durable=durable)
        assert store.get(f"x/{durable}") == b"1"
    assert files_below(folder) == ["x/False", "x/True"]
    assert [info.key for info in store.list("x")] == ["x/False", "x/True"]


_DIE_BEFORE_THE_NAME = """
import os, sys
from frametally.adapters.files.folder_store import FileStore
store = FileStore(sys.argv[1])
setattr(os, "link", lambda *_: os._exit(9))
store.put("metadata/a.jsonl", b"half a segment", if_absent=True)
"""


def test_a_writer_that_dies_before_naming_leaves_no_object_and_no_obstacle(root: Path) -> None:
    died = subprocess.run([sys.executable, "-c", _DIE_BEFORE_THE_NAME, f"file://{root}"])
    assert died.returncode == 9
    assert len(files_below(root)) == 1
    store = FileStore(f"file://{root}")
    assert list(store.list("")) == []
    assert store.head("metadata/a.jsonl") is None
    assert store.put("metadata/a.jsonl", b"whole", if_absent=True)
    assert [info.key for info in store.list("")] == ["metadata/a.jsonl"]


def test_staging_files_are_not_listed_and_no_key_has_such_a_name(root: Path) -> None:
    store = FileStore(f"file://{root}")
    store.put("a/1.jpg", b"x")
    for name in ("put#123", "1.jpg#1"):  # ours and obstore's, as left by a crash
        (root / "a" / name).write_bytes(b"half")
        for durable in (True, False):
            with pytest.raises(Poison, match="looks like a temporary file"):
                store.put(f"a/{name}", b"x", durable=durable)
    assert store.put("a/1.jpg", b"y", durable=False)
    assert [info.key for info in store.list("")] == ["a/1.jpg"]


@pytest.mark.parametrize(
    "listed",
    [FileStore.list, lambda store, prefix: store.list_unless(prefix, KeyRanges())],
    ids=["all", "unknown"],
)
def test_leftovers_of_dead_writers_are_removed_after_a_day_and_possibly_live_ones_stay(
    root: Path, listed: Callable[[FileStore, str], Iterator[ObjectInfo]]
) -> None:
    store = FileStore(f"file://{root}")
    store.put("a/b/1.jpg", b"x")
    store.put("a/b/no#staging.jpg", b"x")
    names = ["put#123", "1.jpg#1", "put#5", "2.jpg#1"]
    for name in names:
        (root / "a/b" / name).write_bytes(b"half")
    old_s = time.time() - 86_400 - 60
    for name in (*names[:2], "1.jpg", "no#staging.jpg"):
        os.utime(root / "a/b" / name, (old_s, old_s))
    assert [info.key for info in listed(store, "a")] == ["a/b/1.jpg", "a/b/no#staging.jpg"]
    assert sorted(path.name for path in (root / "a/b").iterdir()) == [
        "1.jpg",
        "2.jpg#1",
        "no#staging.jpg",
        "put#5",
    ]


def test_the_folders_of_a_video_and_of_pictures_are_removed_with_their_last_object(root: Path) -> None:
    store = FileStore(f"file://{root}")
    video = f"videos/{uuid.uuid4()}"
    objects = [
        f"{video}/original",
        f"{video}/video.json",
        "images/gate/2026-03-01/1.jpg",
        "images/yard/a/1.jpg",
    ]
    for key in (*objects, "videos/contents/a.json"):
        store.put(key, b"x")
    store.delete(objects[0])
    assert (root / video).is_dir()
    for key in (*objects[1:3], "videos/contents/a.json"):
        store.delete(key)
    assert folders_below(root) == ["images", "images/yard", "images/yard/a", "videos", "videos/contents"]
    assert store.put(objects[0], b"y", if_absent=True)


def test_a_videos_empty_folder_left_by_a_kill_is_removed_after_a_day(root: Path) -> None:
    store = FileStore(f"file://{root}")
    old, fresh = sorted(f"videos/{uuid.uuid4()}" for _ in range(2))
    for folder in (old, fresh, "videos/contents"):
        (root / folder).mkdir(parents=True)
    for folder in (old, "videos/contents"):
        os.utime(root / folder, (0, 0))
    assert list(store.list("videos")) == []
    assert folders_below(root) == sorted(["videos", "videos/contents", fresh])


def test_a_writer_whose_staging_file_was_removed_while_it_slept_is_told_to_try_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(f"file://{root}")
    real_link = os.link

    def sleep_for_a_day(staging: Path, final: Path) -> None:
        os.utime(staging, (0, 0))
        monkeypatch.setattr(os, "link", real_link)
        assert list(store.list("a")) == []
        real_link(staging, final)

    monkeypatch.setattr(os, "link", sleep_for_a_day)
    with pytest.raises(Retryable):
        store.put("a/1.json", b"x", if_absent=True)
    assert store.put("a/1.json", b"x", if_absent=True)


@pytest.mark.parametrize("if_absent", [True, False])
def test_a_durable_put_is_on_disk_bytes_first_then_the_name_then_every_new_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch, if_absent: bool
) -> None:
    steps: list[object] = []
    fsync, link, replace = os.fsync, os.link, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append(os.fstat(handle).st_ino), fsync(handle)))
    monkeypatch.setattr(os, "link", lambda *names: (steps.append("name"), link(*names)))
    monkeypatch.setattr(os, "replace", lambda *names: (steps.append("name"), replace(*names)))

    store = FileStore(f"file://{root}")
    assert steps == [root.parent.stat().st_ino]  # the new store folder's own name
    steps.clear()
    store.put("a/b/1.txt", b"x", if_absent=if_absent)
    folders = [folder.stat().st_ino for folder in (root / "a/b", root / "a", root)]
    assert steps == [(root / "a/b/1.txt").stat().st_ino, "name", *folders]
    steps.clear()
    store.put("a/b/2.txt", b"x", if_absent=if_absent)
    assert steps == [(root / "a/b/2.txt").stat().st_ino, "name", folders[0]]


def test_the_loser_of_a_race_sees_the_winner_on_disk_before_building_on_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FileStore(f"file://{root}").put("a/1.txt", b"x", durable=False)
    loser = FileStore(f"file://{root}")
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), fsync(handle)))
    assert not loser.put("a/1.txt", b"y", if_absent=True)
    assert synced[-2:] == [(root / "a").stat().st_ino, root.stat().st_ino]


def test_a_deletion_is_durable_at_once_and_many_deletions_once_they_are_synced(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(f"file://{root}")
    for number in range(3):
        store.put(f"a/b/{number}.txt", b"x")
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), fsync(handle)))
    store.delete("a/b/0.txt")
    store.delete("a/b/0.txt")  # another process may have deleted it, and not yet synced that
    assert synced == [(root / "a/b").stat().st_ino] * 2
    synced.clear()
    store.delete("a/b/1.txt", durable=False)
    assert synced == []
    store.sync()
    store.delete("no/such/folder.txt")
    assert synced == [root.stat().st_ino]


def test_a_folder_removed_behind_the_stores_back_is_made_again_durably(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(f"file://{root}")
    store.put("a/b/1.txt", b"x")
    store.delete("a/b/1.txt")
    (root / "a/b").rmdir()
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), fsync(handle)))
    assert store.put("a/b/1.txt", b"y", if_absent=True)
    assert store.get("a/b/1.txt") == b"y"
    assert synced[1:] == [folder.stat().st_ino for folder in (root / "a/b", root / "a", root)]


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, Retryable, "no space left in store folder .*free some space"),
        (errno.EDQUOT, Retryable, "no space left in store folder .*free some space"),
        (errno.EIO, Retryable, "check the disk"),
        (errno.EACCES, Misconfigured, "give this user permission"),
        (errno.EROFS, Misconfigured, "give this user permission"),
    ],
)
def test_a_refused_put_reports_its_kind_folder_and_remedy_and_leaves_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[FrametallyError], words: str
) -> None:
    store = FileStore(f"file://{root}")

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(kind, match=words) as caught:
            store.put("a/1.txt", b"x")
    assert str(root) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert files_below(root) == []
    assert store.put("a/1.txt", b"x", if_absent=True)


_FULL = """
import resource, sys
from frametally.adapters.files.folder_store import FileStore
from frametally.errors import Retryable
store = FileStore(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
for durable in (True, False):
    try:
        store.put("a/1.jpg", b"x" * 20_000, durable=durable)
    except Retryable as error:
        print(error)
"""


def test_a_write_that_the_system_truncates_leaves_no_object(root: Path) -> None:
    said = run_program([sys.executable, "-c", _FULL, f"file://{root}"]).stdout.splitlines()
    assert len(said) == 2
    assert all(str(root) in line and "File too large" in line for line in said)
    assert list(FileStore(f"file://{root}").list("")) == []


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("if_absent", [True, False])
def test_a_name_cannot_belong_to_both_an_object_and_a_folder(
    root: Path, durable: bool, if_absent: bool
) -> None:
    store = FileStore(f"file://{root}")
    store.put("a/b", b"x")
    for key in ("a", "a/b/c", "a/b/c/d", "a/" + "n" * 256):
        with pytest.raises(Poison, match=key[:100]):
            store.put(key, b"y", if_absent=if_absent, durable=durable)
    assert files_below(root) == ["a/b"]


@pytest.mark.parametrize("url", ["file://", "file://relative/folder", "file:relative", "file:///a%00b"])
def test_a_url_without_an_absolute_folder_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="use file:///absolute/folder"):
        FileStore(url)


def test_a_folder_that_cannot_be_made_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for name in ("file", "file/store"):
        with pytest.raises(Misconfigured, match="set FRAMETALLY_STORE_URL") as caught:
            FileStore(f"file://{tmp_path}/{name}")
        assert str(tmp_path / "file") in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_one_line_with_the_remedy(root: Path) -> None:
    root.mkdir(mode=0o500)
    with pytest.raises(Misconfigured, match="give this user permission"):
        FileStore(f"file://{root}")


def test_listing_names_a_file_whose_name_is_not_a_key(root: Path) -> None:
    store = FileStore(f"file://{root}")
    (root / "not\nours").write_text("x")
    with pytest.raises(Misconfigured, match="frametally did not write") as caught:
        list(store.list(""))
    assert "\n" not in str(caught.value)
