"""Erased pictures that a disk brings back after a power cut go at the next start; all other pictures stay."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.capabilities import needs
from tests.commands import findings, frametally, start_frametally
from tests.privacy.erased_footage import FROM_MS, RANGE, Footage, filmed, opened

from frametally import keys
from frametally.media.manifests import list_manifests, pictures_identity
from frametally.ports.opened import StorePorts
from frametally.records import encode
from frametally.work.family_members import keep_up
from frametally_privacy.erasure_records import erasures

Start = Callable[[], str]


@pytest.fixture(scope="module")
def counted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of counted footage; each test changes a copy."""
    folder = tmp_path_factory.mktemp("counted")
    with filmed(folder):
        return folder


@pytest.fixture(params=[False, True], ids=["single", "packed"])
def footage(
    request: pytest.FixtureRequest, counted_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Footage]:
    shutil.copytree(counted_folder, tmp_path, dirs_exist_ok=True)
    for name, value in {"DATA_DIR": str(tmp_path), "INTERVAL_S": "60", "DETECTOR": "pixels"}.items():
        monkeypatch.setenv(f"FRAMETALLY_{name}", value)
    with opened(tmp_path) as place:
        if request.param:
            place.pack("gate")
        yield place


@pytest.fixture
def start(footage: Footage, capsys: pytest.CaptureFixture[str]) -> Start:
    """Do what `serve` and `work` do at their start; return what they print."""

    def run() -> str:
        capsys.readouterr()
        keep_up(StorePorts(footage.settings, footage.store), lambda: False)
        return " ".join(capsys.readouterr().err.split())

    return run


def erase(footage: Footage, *arguments: str, cut: bool = True) -> set[str]:
    """Erase the range; with `cut`, a power cut then brings its pictures back. Return their keys."""
    images = footage.settings.data_dir / "store" / keys.IMAGES
    lost = shutil.copytree(images, footage.settings.data_dir / "on the disk")
    before = pictures(footage)
    frametally("privacy", "erase", "--source", "gate", *(arguments or RANGE), "--yes")
    gone = before - pictures(footage)
    if cut:
        for path in images.rglob("*.pack"):
            path.unlink()
        shutil.copytree(lost, images, dirs_exist_ok=True)
        assert pictures(footage) == before
    shutil.rmtree(lost)
    return gone


def pictures(footage: Footage) -> set[str]:
    with opened(footage.settings.data_dir) as place:  # without an index of a pack read before
        return {info.key for info in place.store.list(f"{keys.IMAGES}/gate")}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "arguments", [RANGE, ("--from", "2024-05-14", "--to", "2024-05-15"), (*RANGE, "--keep-counts")]
)
def test_erased_pictures_that_a_disk_brings_back_are_deleted_at_the_next_start_and_others_stay(
    arguments: tuple[str, ...], footage: Footage, start: Start
) -> None:
    everything = pictures(footage)
    gone = erase(footage, *arguments)
    (receipt,) = erasures(footage.store)
    printed = findings(frametally("doctor", "--deep", "--json", code=2).out)
    assert f"{len(gone)} erased pictures are in the store" in printed
    assert f"deleted {len(gone)} erased pictures that came back" in (line := start())
    assert receipt.id in line
    assert pictures(footage) == everything - gone
    assert erasures(footage.store) == [receipt]
    assert start() == ""


@pytest.mark.thorough
@pytest.mark.parametrize("was_forgotten", [False, True])
def test_pictures_that_a_person_produces_again_after_their_erasure_stay(
    was_forgotten: bool, footage: Footage, start: Start
) -> None:
    (manifest,) = (manifest for manifest in list_manifests(footage.store) if manifest.source == "gate")
    everything = erase(footage, "--from", "2024-05-14", "--to", "2024-05-15")
    # The producer keeps pictures that are already there, also if a power cut brought them back.
    again = msgspec.structs.replace(manifest, revision=1)
    footage.store.put(again.key, encode(again))
    if was_forgotten:
        frametally("forget", "--source", "gate", "--yes")
    assert start() == ""
    assert pictures(footage) == everything


def test_pictures_added_to_an_erased_range_later_stay(footage: Footage, start: Start) -> None:
    gone = erase(footage, cut=False)
    for key in gone:
        footage.store.put(key, b"another picture" + b"\xff\xd9")
    before = pictures(footage)
    assert start() == ""
    assert pictures(footage) == before > gone


@pytest.mark.thorough
def test_receipts_that_name_no_footage_delete_nothing_and_doctor_names_their_pictures(
    footage: Footage, start: Start
) -> None:
    gone = erase(footage)
    (receipt,) = erasures(footage.store)
    footage.store.put(receipt.key, encode(msgspec.structs.replace(receipt, media=())))
    before = pictures(footage)
    assert start() == ""
    assert pictures(footage) == before
    printed = findings(frametally("doctor", "--deep", "--json", code=2).out)
    assert f"{len(gone)} erased pictures are in the store" in printed
    assert "run `frametally privacy erase` with this range again" in printed
    frametally("privacy", "erase", "--source", "gate", *RANGE, "--yes")
    assert pictures(footage) == before - gone


@pytest.mark.thorough
def test_erased_picture_files_that_a_disk_brings_back_are_deleted_and_those_of_another_medium_stay(
    footage: Footage, start: Start
) -> None:
    (manifest,) = (manifest for manifest in list_manifests(footage.store) if manifest.source == "gate")
    names = [keys.ImageName(FROM_MS + number, f"{number:032x}", 0) for number in range(4)]
    of_day = msgspec.structs.replace(
        manifest,
        sha256=pictures_identity("gate", keys.utc_day(FROM_MS)),
        kind="pictures",
        start_ms=None,
        announced_frames=b"",
        announced_pictures=[name.file_name.removesuffix("-0.jpg") for name in names],
    )
    footage.store.put(of_day.key, encode(of_day))
    image_keys = {keys.image_key("gate", *name) for name in names}
    for key in image_keys:
        footage.store.put(key, b"a picture" + b"\xff\xd9")
    gone = erase(footage)
    assert gone > image_keys
    again = msgspec.structs.replace(manifest, revision=1)  # the video alone is produced again
    footage.store.put(again.key, encode(again))
    assert "deleted 4 erased pictures" in start()
    assert pictures(footage) >= gone - image_keys
    assert pictures(footage).isdisjoint(image_keys)


@pytest.mark.thorough
@needs("retention")
def test_a_legal_hold_keeps_erased_pictures_that_came_back(footage: Footage, start: Start) -> None:
    from frametally_retention.policy import LegalHold, put_hold

    erase(footage)
    put_hold(footage.store, LegalHold(name="case-7", source="gate", set_at_ms=0))
    before = pictures(footage)
    assert start() == ""
    assert pictures(footage) == before


@pytest.mark.thorough
@needs("videos")
def test_work_deletes_erased_pictures_that_came_back(
    footage: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_JOB_NETWORK", "1")
    gone = erase(footage)
    assert f"deleted {len(gone)} erased pictures" in frametally("work", "--until-done").err
    assert pictures(footage).isdisjoint(gone)


@pytest.mark.thorough
def test_serve_deletes_erased_pictures_that_came_back(footage: Footage, tmp_path: Path) -> None:
    gone = erase(footage)
    output = tmp_path / "output"
    output.mkdir()
    process = start_frametally(
        *("serve", "--alone", "--port", "0"), cwd=tmp_path, output=output, constants={}
    )
    try:
        deadline_s = time.monotonic() + 120
        while not pictures(footage).isdisjoint(gone) and time.monotonic() < deadline_s:
            assert process.is_alive(), (output / "err").read_text()
            time.sleep(0.2)
    finally:
        process.terminate()
        process.join()
    assert pictures(footage).isdisjoint(gone)
    assert f"deleted {len(gone)} erased pictures" in (output / "err").read_text()
