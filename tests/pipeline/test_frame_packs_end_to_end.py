"""`frametally pack` on the command line: every number and picture stays, and deleted ones are gone."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.commands import CommandLine, findings, run_frametally

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.packs.pack_keys import is_part_key
from frametally.packs.packed_store import plain_of

ENV = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_INTERVAL_S": "10", "FRAMETALLY_COUNT_OBJECTS": "false"}
PICTURES = 30  # two seconds apart
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "gate"
    folder.mkdir()
    for number in range(PICTURES):
        image = np.zeros((48, 64, 3), np.uint8)
        image[8:20, 4 : 16 + number] = 255
        cv2.imwrite(str(folder / f"still_20260301_12{number // 15:02d}{number % 15 * 2:02d}.jpg"), image)

    def call(*arguments: object, code: int = 0) -> str:
        done = CommandLine(tmp_path)(*arguments, code=code)
        return done.out + done.err

    return call


def images(folder: Path) -> dict[str, bytes]:
    with closing(open_object_store(f"file://{folder}/frametally-data/store")) as store:
        return {info.key: store.get(info.key) for info in store.list("images")}


def objects(folder: Path) -> list[str]:
    with closing(open_object_store(f"file://{folder}/frametally-data/store")) as store:
        return [info.key for info in plain_of(store).list("images")]


def age(folder: Path) -> None:
    """Make all pictures two hours older."""
    for path in (folder / "frametally-data/store/images").rglob("*"):
        if path.is_file():
            os.utime(path, (path.stat().st_atime - 7200, path.stat().st_mtime - 7200))


def produce_and_count(run: Run, folder: Path, *options: str) -> None:
    run("produce", folder / "gate", "--time-pattern", "still_%Y%m%d_%H%M%S", *options)
    for command in (["consume", "--until-caught-up"], ["aggregate"], ["index"]):
        run(*command)


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["single", "packed"])
def test_packed_footage_is_counted_proven_analysed_again_renamed_and_forgotten_as_before(
    run: Run, tmp_path: Path, form: str
) -> None:
    produce_and_count(run, tmp_path, *(["--packs"] if form == "packed" else []))
    before, books = images(tmp_path), run("status", "--json")
    assert len(before) == PICTURES
    if form == "single":
        assert "; minutes left for later, because they are not an hour old: 2\n" in run("pack")
    age(tmp_path)
    expected = f"packed: {PICTURES} pictures; objects: 2\n" if form == "single" else "packed: 0 pictures"
    assert expected in run("pack", "--source", "gate")
    assert [is_part_key(key) for key in objects(tmp_path)] == [True, True]
    assert images(tmp_path) == before
    assert json.loads(run("status", "--json"))["sources"] == json.loads(books)["sources"]
    assert "packs all 2 read" in findings(run("doctor", "--deep", "--json"))
    assert f"{PICTURES} announced" in run("redetect", "--model", "another-0a1b2c3d")
    run("rename-source", "gate", "yard", "--delete-images")
    assert list(images(tmp_path).values()) == list(before.values())
    age(tmp_path)
    run("pack")
    assert len(objects(tmp_path)) == 2
    run("forget", "--source", "yard", "--from", "2026-03-01T12:01:00Z", "--delete-images", "--yes")
    assert list(images(tmp_path).values()) == list(before.values())[:15]
    run("forget", "--source", "yard", "--delete-images", "--yes")
    assert objects(tmp_path) == []


@pytest.mark.thorough
def test_killed_at_every_failpoint_of_packing_no_picture_is_missing_and_the_last_call_packs_all(
    run: Run, tmp_path: Path
) -> None:
    produce_and_count(run, tmp_path)
    before = images(tmp_path)
    age(tmp_path)
    for failpoint in ("pack.put", "pack.picture", "pack.picture:7", "pack.put"):
        killed = run_frametally("pack", cwd=tmp_path, FRAMETALLY_FAILPOINT=failpoint)
        assert killed.code == -signal.SIGKILL, killed
        assert images(tmp_path) == before
        age(tmp_path)
    run("pack")
    assert [is_part_key(key) for key in objects(tmp_path)] == [True, True]
    assert images(tmp_path) == before


@pytest.mark.thorough
def test_killed_while_deleting_packs_the_same_forget_deletes_the_rest_to_the_last_byte(
    run: Run, tmp_path: Path
) -> None:
    produce_and_count(run, tmp_path, "--packs")
    pictures = list(images(tmp_path).values())
    forget = ("forget", "--source", "gate", "--delete-images", "--yes")
    for failpoint, packs in {"forget.tombstone": 2, "forget.picture": 1}.items():
        killed = run_frametally(*forget, cwd=tmp_path, FRAMETALLY_FAILPOINT=failpoint)
        assert killed.code == -signal.SIGKILL, killed
        assert len(objects(tmp_path)) == packs
    run(*forget)
    stored = b"".join(
        path.read_bytes() for path in (tmp_path / "frametally-data/store").rglob("*") if path.is_file()
    )
    assert not any(picture in stored for picture in pictures)
    assert objects(tmp_path) == []


def test_the_command_names_a_truncated_pack_once_and_packs_the_rest(run: Run, tmp_path: Path) -> None:
    with closing(open_object_store(f"file://{tmp_path}/frametally-data/store")) as store:
        for minute in ("00", "01"):
            for second in range(2):
                at_ms = 1_772_366_400_000 + int(minute) * 60_000 + second
                store.put(keys.image_key("gate", at_ms, "0123456789ab", second), b"\xff\xd8\xff\xd9")
        store.put("images/gate/2026-03-01/1772366400000-0.pack", b"frametally-pack 1 00")
    age(tmp_path)
    lines = run("pack", code=6).splitlines()
    assert [line for line in lines if "1772366400000-0.pack is damaged: it does not begin with" in line]
    assert len([line for line in lines if "damaged" in line]) == 1
    assert "packed: 2 pictures; objects: 1" in lines
    assert len(objects(tmp_path)) == 4
