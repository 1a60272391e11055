"""`frametally backup` and `frametally restore`: where backups are, who can read them, and which
are refused."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.core.test_object_store_contract import ADAPTERS, PARAMS

from frametally import backups as contents
from frametally import keys
from frametally.adapters.sql.catalogue import SCHEMA_VERSION
from frametally.adapters_by_url import open_object_store
from frametally.backups import DAYS_KEPT, backup_name, is_due, last_backup, store_backup, stored_backups
from frametally.checkup.findings import Glance
from frametally.checkup.last_backup import find_last_backup
from frametally.errors import FIRST_LAYOUT
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.settings.loading import Settings, load_settings
from frametally.work.children import Family
from frametally_accounts.book import AccessBook
from frametally_accounts.rights import UserAccount
from frametally_cli.commands import backups as nightly
from frametally_cli.main import main

KEY = "a key of more than thirty-two characters"
HASH = "the hash of a password"
NOW_MS = 1_800_000_000_000
Said = Callable[..., str]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The backup options of a data folder with an account and without a backup."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path / "data"))
    made = load_settings()
    with closing(AccessBook(made.catalogue_url)) as book:
        book.add_account(UserAccount("anna", "run"))
        book.set_password("anna", HASH)
    return made


@pytest.fixture
def said(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*arguments: str, code: int = 0) -> str:
        assert main([*arguments]) == code
        captured = capsys.readouterr()
        assert code == 0 or captured.err.count("\n") == 1
        return captured.out + captured.err

    return run


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def lose_catalogue(settings: Settings) -> None:
    for file in settings.data_dir.glob("catalogue.sqlite*"):
        file.unlink()


def accounts(settings: Settings) -> list[str]:
    with closing(AccessBook(settings.catalogue_url)) as book:
        return [one.name for one in book.accounts()]


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.backup"))


def with_header(data: bytes, changes: Mapping[str, Any], *, is_sealed: bool = True) -> bytes:
    """A backup with another first line, and the matching checksum."""
    line, _, body = data.partition(b"\n")
    header = contents.BackupHeader(**{**json.loads(line), **changes})
    if is_sealed:
        header = contents.BackupHeader(
            **{**json.loads(line), **changes, "sha256": contents._digest(header, body)}
        )
    return msgspec.json.encode(header) + b"\n" + body


def test_only_its_owner_can_read_a_backup_in_the_store_or_in_a_folder(said: Said, settings: Settings) -> None:
    said("backup")
    said("backup", "--to", "elsewhere/nas")
    places = [settings.data_dir / "store" / "backups", Path("elsewhere/nas")]
    for place in places:
        [file] = files_of(place)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(places[1].stat().st_mode) == 0o700


@pytest.mark.parametrize("folder", ["file/nas", "/proc/nas"])
def test_a_backup_that_no_folder_can_hold_asks_for_another_folder(said: Said, folder: str) -> None:
    Path("file").touch()
    told = said("backup", "--to", folder, code=2)
    assert told.startswith(f"error: --to {folder}: ")
    assert told.endswith("; give a folder that you can write to\n")


@pytest.mark.thorough
@pytest.mark.parametrize("source", ["", "elsewhere", "elsewhere/{name}", "backups/{name}"])
def test_a_backup_is_restored_from_the_store_a_folder_or_a_file(
    said: Said, settings: Settings, source: str
) -> None:
    if source.startswith("elsewhere"):
        said("backup", "--to", "elsewhere")
        [file] = files_of(Path("elsewhere"))
    else:
        said("backup")
        [file] = files_of(settings.data_dir / "store" / "backups")
    lose_catalogue(settings)
    source = source.format(name=file.name)
    assert "accounts: 1" in said("restore", *(("--from", source) if source else ()))
    assert accounts(settings) == ["anna"]
    with closing(AccessBook(settings.catalogue_url)) as book:
        found = book.credentials("anna")
    assert found.password_hash == HASH


def test_a_backup_with_a_key_is_unreadable_without_it(
    said: Said, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_BACKUP_KEY", KEY)
    said("backup", "--to", "safe")
    [file] = files_of(Path("safe"))
    header, _, body = file.read_bytes().partition(b"\n")
    assert json.loads(header)["layouts"] == {"catalogue": SCHEMA_VERSION}
    with pytest.raises(OSError, match="Not a gzipped file"):
        gzip.decompress(body)
    lose_catalogue(settings)
    monkeypatch.setenv("FRAMETALLY_BACKUP_KEY", KEY[::-1])
    assert "encrypted with a different FRAMETALLY_BACKUP_KEY" in said("restore", "--from", "safe", code=2)
    monkeypatch.delenv("FRAMETALLY_BACKUP_KEY")
    assert "is encrypted: set FRAMETALLY_BACKUP_KEY" in said("restore", "--from", "safe", code=2)
    assert not (settings.data_dir / "catalogue.sqlite").exists()
    monkeypatch.setenv("FRAMETALLY_BACKUP_KEY", KEY)
    said("restore", "--from", "safe")
    assert accounts(settings) == ["anna"]


@pytest.mark.thorough
def test_a_backup_that_cannot_be_restored_is_one_line_and_changes_nothing(
    said: Said, settings: Settings
) -> None:
    assert "no backup in" in said("restore", "--from", str(settings.data_dir), code=2)
    assert "no store at" in said("restore", code=2)
    assert "No such file" in said("restore", "--from", "gone.backup", code=2)
    said("backup", "--to", "good")
    [file] = files_of(Path("good"))
    data, bad = file.read_bytes(), Path("bad.backup")
    middle = len(data) // 2
    for damaged, words in (
        (data[:-1], "is damaged"),
        (data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :], "is damaged"),
        (with_header(data, {"made_at_ms": 1}, is_sealed=False), "is damaged"),
        (b"PK\x03\x04", "is not a frametally backup"),
        (with_header(data, {"frametally_backup": 2}), "was created by a newer version of frametally"),
        (with_header(data, {"layouts": {"catalogue": 99}}), "newer version of frametally"),
        (
            with_header(data, {"layouts": {"access": FIRST_LAYOUT - 1}}),
            "was made by a version before 0.4.0, which is not supported; create one with `frametally backup`",
        ),
    ):
        bad.write_bytes(damaged)
        assert words in said("restore", "--from", "bad.backup", "--replace", code=2)
        assert accounts(settings) == ["anna"]
    said("users", "add", "ben")
    assert "is not empty (accounts: 2, audit records: 2): add --replace" in said(
        "restore", "--from", "good", code=2
    )
    assert accounts(settings) == ["anna", "ben"]
    said("restore", "--from", "good", "--replace")
    assert accounts(settings) == ["anna"]
    assert "restore" in said("audit", "list", "--limit", "1")


def test_a_misspelt_folder_is_not_backed_up_as_an_empty_one(said: Said, tmp_path: Path) -> None:
    other = tmp_path / "dta"
    assert "no catalogue at" in said("backup", "--data-dir", str(other), code=2)
    assert not other.exists()


def test_the_store_keeps_thirty_days_of_backups_and_a_folder_keeps_all(
    said: Said, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.data_dir / "store" / "backups"
    folder.mkdir(parents=True)
    days = range(DAYS_KEPT + 3)
    for place in (folder, Path("nas")):
        place.mkdir(exist_ok=True)
        for day in days:
            (place / backup_name(day + 1, NOW_MS + day * DAY_MS)).write_bytes(b"")
    (folder / "a note of somebody's.txt").write_bytes(b"")
    (folder / "another.backup").write_bytes(b"")
    monkeypatch.setattr(time, "time", lambda: NOW_MS / 1000 + 100 * 86400)
    said("backup")
    said("backup", "--to", "nas")
    assert len(files_of(Path("nas"))) == len(days) + 1
    kept = [Path(one.key).name for one in backups_in(settings)]
    older = [backup_name(day + 1, NOW_MS + day * DAY_MS) for day in days[-DAYS_KEPT + 1 :]]
    assert kept == [*older, backup_name(len(days) + 1, NOW_MS + 100 * DAY_MS)]
    assert said("backup", "--list").count("\n") == DAYS_KEPT


def backups_in(settings: Settings) -> list[contents.StoredBackup]:
    with closing(open_object_store(settings.store_url)) as store:
        return stored_backups(store)


@pytest.mark.parametrize("ahead_ms", [3650 * DAY_MS, 3 * DAY_MS, -2 * DAY_MS, -NOW_MS])
@pytest.mark.parametrize("adapter", PARAMS)
def test_a_backup_dated_by_a_wrong_clock_hides_and_removes_no_other(adapter: str, ahead_ms: int) -> None:
    with ExitStack() as stack:
        store = ADAPTERS[adapter](stack)
        made_ms = [NOW_MS - day * DAY_MS for day in range(DAYS_KEPT - 2, 0, -1)]
        for time_ms in [*made_ms, NOW_MS - HOUR_MS + ahead_ms]:
            store_backup(store, b"", time_ms)
        looks = range(NOW_MS, NOW_MS + DAY_MS, 600_000)
        assert sum(store_backup(store, b"", look) != "" for look in looks if is_due(store, look)) == 1
        assert stored_backups(store)[-1].made_at_ms == NOW_MS
        assert {*made_ms, NOW_MS} <= {one.made_at_ms for one in stored_backups(store)}


def test_of_many_backups_a_day_the_first_and_the_last_are_kept(tmp_path: Path) -> None:
    with closing(open_object_store(tmp_path.as_uri())) as store:
        first_ms = NOW_MS // DAY_MS * DAY_MS
        for hour in range(72):
            store_backup(store, b"", first_ms + hour * HOUR_MS)
        hours = [(one.made_at_ms - first_ms) // HOUR_MS for one in stored_backups(store)]
    assert hours == [0, 23, 24, 47, 48, 67, 68, 69, 70, 71]


@pytest.mark.thorough
@pytest.mark.parametrize("place", ["store", "folder"])
def test_restore_uses_the_latest_backup_made_and_names_those_dated_later(
    said: Said, settings: Settings, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    to, source = (("--to", "nas"), ("--from", "nas")) if place == "folder" else ((), ())
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 3650 * 86400)
    said("backup", *to)
    monkeypatch.setattr(time, "time", lambda: now_s)
    told = said("backup", *to)
    said("users", "add", "later")
    said("backup", *to)
    lose_catalogue(settings)
    told = said("restore", *source)
    assert accounts(settings) == ["anna", "later"]
    assert "is dated later (2036-" in told
    assert "to restore it instead, name it with --from" in told
    [ahead] = [file for file in files_of(backup_folder(settings, place)) if "-2036" in file.name]
    assert "this backup is dated in the future" in said("restore", "--from", str(ahead), "--replace")
    assert accounts(settings) == ["anna"]


def backup_folder(settings: Settings, place: str) -> Path:
    return Path("nas") if place == "folder" else settings.data_dir / "store" / "backups"


def test_up_makes_one_backup_a_day_however_often_it_starts(settings: Settings) -> None:
    made = [
        nightly.back_up_if_due(settings, NOW_MS + hour * HOUR_MS) is not None
        for hour in (0, 1, 23, 24, 25, -1, 0, 22)
    ]
    # A clock that was set back causes one more, and only one.
    assert made == [True, False, False, True, False, True, False, False]
    with closing(open_object_store(settings.store_url)) as store:
        assert [one.made_at_ms - NOW_MS for one in stored_backups(store)] == [0, DAY_MS, -HOUR_MS]
        assert is_due(store, NOW_MS + DAY_MS)


def test_a_service_makes_one_backup_a_day_until_it_is_stopped(
    settings: Settings, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.data_dir / "store" / "backups"
    looks: list[Path] = []

    def stop_after_three(settings: Settings, now_ms: int) -> str | None:
        looks.append(folder)
        if len(looks) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return back_up_if_due(settings, now_ms)

    back_up_if_due = nightly.back_up_if_due
    monkeypatch.setattr(nightly, "back_up_if_due", stop_after_three)
    assert said("backup", "--every", "1s").count("saved the backup backups/") == 1
    assert len(files_of(folder)) == 1
    assert "without --to and --list" in said("backup", "--every", "1h", "--list", code=2)
    assert "is not a period" in said("backup", "--every", "often", code=2)


def test_up_makes_no_backup_where_there_is_nothing_to_lose(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    assert nightly.back_up_if_due(settings, NOW_MS) is None
    assert not list(tmp_path.iterdir())
    AccessBook(settings.catalogue_url).close()
    assert nightly.back_up_if_due(settings, NOW_MS) is None


def test_up_backs_up_while_it_runs(settings: Settings, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = settings.data_dir / "store" / "backups"

    def run(_: Family, __: Callable[[], bool]) -> int:
        by_s = time.monotonic() + 60
        while not files_of(folder) and time.monotonic() < by_s:
            time.sleep(0.01)
        return 0

    monkeypatch.setattr(nightly, "FIRST_LOOK_S", 0.0)
    monkeypatch.setattr(Family, "run", run)
    assert " INFO    saved the backup backups/" in said("up", "--port", "0")


@pytest.mark.thorough
def test_doctor_shows_the_age_of_the_last_backup(
    said: Said, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = round(time.time() * 1000)

    def row(after_ms: int) -> tuple[str, str, str]:
        with closing(open_object_store(settings.store_url)) as store, pytest.MonkeyPatch.context() as patched:
            listed, list_objects = [], store.list
            patched.setattr(store, "list", lambda folder: listed.append(folder) or list_objects(folder))
            glances = (Glance(settings, store, has_time) for has_time in (True, False))
            [found], hurried = ([*find_last_backup(glance, now_ms + after_ms)] for glance in glances)
        assert hurried == ([] if found.good else [found])
        assert listed == [keys.BACKUPS, keys.BACKUPS], "each look lists them once"
        return found.value, found.note, found.remedy

    assert row(HOUR_MS)[0] == "backup: none"
    assert row(HOUR_MS)[2] == ""
    assert row(-DAY_MS)[2] == ""  # the clock is behind, and tells nothing
    assert row(3 * DAY_MS)[2].startswith("run `frametally backup`")
    said("backup")
    assert row(4 * HOUR_MS - 1)[0].endswith(", 3 h ago")
    assert row(3 * HOUR_MS)[1:] == ("not encrypted, because FRAMETALLY_BACKUP_KEY was not set", "")
    assert row(3 * DAY_MS)[2].startswith("run `frametally backup`")
    with closing(open_object_store(settings.store_url)) as store:
        before = last_backup(store, stored_backups(store), now_ms + DAY_MS)
        monkeypatch.setenv("FRAMETALLY_BACKUP_KEY", KEY)
        said("backup", "--to", "nas")
        after = last_backup(store, stored_backups(store), now_ms + DAY_MS)
    assert after.made_at_ms > before.made_at_ms
    assert row(HOUR_MS)[1] == "encrypted"
    assert row(-DAY_MS)[0].endswith(", in the future")
    monkeypatch.setattr(time, "time", lambda: now_ms / 1000 + 3650 * 86400)
    said("backup", "--to", "nas")
    assert row(HOUR_MS)[0].endswith(", 0 h ago")
