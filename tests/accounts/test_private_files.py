"""Other users of the machine cannot read the accounts, their codes' secrets, or the key that signs embeds."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from frametally.checkup.findings import TrialLook
from frametally.settings.loading import load_settings
from frametally_accounts.audit.book import AuditBook
from frametally_accounts.book import AccessBook
from frametally_accounts.hooks import findings
from frametally_alerts.book import AlertBook
from frametally_cli.main import main
from frametally_videos.catalogue_by_url import open_video_catalogue


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_data_folder_and_its_accounts_are_accessible_only_to_their_owner(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert main(["users", "add", "bob", "--role", "run", "--data-dir", str(data_dir)]) == 0
    assert mode(data_dir) == 0o700
    files = list(data_dir.glob("catalogue.sqlite*"))
    assert files
    assert {mode(path) for path in files} == {0o600}


def test_a_data_folder_made_by_footage_is_accessible_only_to_its_owner(tmp_path: Path) -> None:
    clip = tmp_path / "gate.png"
    cv2.imwrite(str(clip), np.zeros((48, 64, 3), np.uint8))
    data_dir = tmp_path / "new" / "data"
    assert main(["produce", str(clip), "--source", "gate", "--data-dir", str(data_dir)]) == 0
    assert {mode(data_dir), mode(data_dir.parent), mode(data_dir / "store")} == {0o700}


def test_doctor_names_a_data_folder_that_others_can_read(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    tmp_path.chmod(0o755)
    [bad] = [row for row in findings(TrialLook(settings)) if not row.good]
    assert (bad.name, bad.value) == (str(tmp_path), "other users can open it")
    assert f"chmod 700 {tmp_path}" in bad.remedy


@pytest.mark.parametrize("opened", [AccessBook, AlertBook, AuditBook, open_video_catalogue])
def test_the_catalogue_is_private_whichever_part_opens_it_first(tmp_path: Path, opened: object) -> None:
    path = tmp_path / "catalogue.sqlite"
    with closing(opened(f"sqlite:///{path}")):  # type: ignore[operator]
        assert {mode(file) for file in tmp_path.glob("catalogue.sqlite*")} == {0o600}


def test_a_catalogue_that_others_could_read_is_private_once_it_is_opened_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    with closing(AccessBook(url)) as first:
        first.signing_key()
        for path in tmp_path.glob("catalogue.sqlite*"):
            path.chmod(0o644)
        with closing(AccessBook(url)):
            assert {mode(path) for path in tmp_path.glob("catalogue.sqlite*")} == {0o600}


def test_doctor_names_a_catalogue_that_others_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(data_dir=tmp_path)
    path = tmp_path / "catalogue.sqlite"
    with closing(AccessBook(settings.catalogue_url)) as book:
        book.signing_key()
    assert all(row.good for row in findings(TrialLook(settings)))
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)  # somebody else's file
    path.chmod(0o644)
    bad = [row for row in findings(TrialLook(settings)) if not row.good]
    assert [(row.name, row.value) for row in bad] == [(str(path), "other users can read it")]
    assert "chmod 600" in bad[0].remedy
