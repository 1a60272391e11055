"""`frametally service`: systemd accepts its unit, and a machine without systemd gets a message."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import run_frametally

from frametally.errors import Misconfigured
from frametally.settings.loading import Settings, load_settings
from frametally_cli.commands.service import NAME, ServicePlace, must_be_readable_by_all, unit_text

PLACES = [ServicePlace(is_system=False), ServicePlace(is_system=True)]
# systemd's own estimate, out of 100; a service without any of these directives has 96.
MOST_EXPOSURE = {False: 60, True: 25}
PERCENT = 'my "data" 50%'


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze (Debian: apt install systemd)")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / PERCENT
    folder.mkdir()
    return load_settings(None, data_dir=folder, models_dir=tmp_path / "models")


def unit_in(folder: Path, place: ServicePlace, settings: Settings) -> Path:
    path = folder / NAME
    path.write_text(unit_text(place, settings), encoding="utf-8")
    return path


@pytest.mark.parametrize("place", PLACES, ids=["user", "system"])
def test_systemd_accepts_the_unit_and_rates_it_as_hardened(
    place: ServicePlace, settings: Settings, tmp_path: Path
) -> None:
    unit = unit_in(tmp_path, place, settings)
    verified = analyze("verify", "--man=no", unit)
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSURE[place.is_system]}", unit)
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize("place", PLACES, ids=["user", "system"])
def test_a_job_of_the_service_can_give_up_the_network(place: ServicePlace, settings: Settings) -> None:
    unit = unit_text(place, settings)
    [names] = re.findall("^SystemCallFilter=(.*)$", unit, re.MULTILINE)
    waiting, allowed = names.split(), set()
    while waiting:
        name = waiting.pop()
        if not name.startswith("@"):
            allowed.add(name)
            continue
        # systemd 252 and earlier count `seccomp` to no group of a service's usual calls.
        listed = analyze("syscall-filter", "--no-pager", name).stdout.splitlines()[1:]
        waiting += [text for line in listed if (text := line.strip()) and not text.startswith("#")]
    assert {"prctl", "seccomp"} <= allowed


def test_systemd_finds_the_program_in_a_folder_with_any_name_that_it_accepts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "my $HOME 50%" / "python"
    program.parent.mkdir()
    shutil.copy("/bin/true", program)
    monkeypatch.setattr(sys, "executable", str(program))
    verified = analyze("verify", "--man=no", unit_in(tmp_path, PLACES[1], settings))
    assert (verified.returncode, verified.stderr) == (0, "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / 'my "own"' / "python"))
    with pytest.raises(Misconfigured, match="systemd starts no program in a folder"):
        unit_text(PLACES[1], settings)


def test_systemd_refuses_a_unit_without_its_program(settings: Settings, tmp_path: Path) -> None:
    unit = unit_in(tmp_path, PLACES[1], settings)
    unit.write_text(unit.read_text().replace(sys.executable, f"{sys.executable}-of-nobody"))
    assert analyze("verify", "--man=no", unit).returncode != 0


@pytest.mark.parametrize("place", PLACES, ids=["user", "system"])
def test_the_service_starts_at_boot(place: ServicePlace, settings: Settings, tmp_path: Path) -> None:
    if not shutil.which("systemctl"):
        pytest.skip("needs systemctl (Debian: apt install systemd)")
    folder = tmp_path / "root" / "etc/systemd" / ("system" if place.is_system else "user")
    folder.mkdir(parents=True)
    unit_in(folder, place, settings)
    which = [] if place.is_system else ["--global"]
    subprocess.run(
        ["systemctl", f"--root={tmp_path / 'root'}", *which, "enable", NAME], check=True, capture_output=True
    )
    [link] = folder.glob("*.wants/*")
    target = "multi-user" if place.is_system else "default"
    assert (link.name, link.parent.name) == (NAME, f"{target}.target.wants")


def test_a_users_service_writes_only_to_its_folders_whatever_their_names_are(settings: Settings) -> None:
    lines = unit_text(PLACES[0], settings).splitlines()
    folder = str(settings.data_dir).replace("%", "%%")
    quoted = folder.replace('"', '\\"')
    assert f'ReadWritePaths="{quoted}" "{settings.models_dir}"' in lines
    assert f"WorkingDirectory={folder}" in lines
    assert {"NoNewPrivileges=yes", "ProtectSystem=strict"} <= {*lines}
    broken = settings.model_copy(update={"data_dir": Path("/data\nExecStartPre=/bin/sh")})
    with pytest.raises(Misconfigured, match="control character"):
        unit_text(PLACES[0], broken)


def test_a_program_that_only_its_owner_can_read_cannot_be_a_system_service(tmp_path: Path) -> None:
    program = tmp_path / "home" / "python"
    program.parent.mkdir(mode=0o700)
    program.touch(0o755)
    with pytest.raises(Misconfigured, match=r"pipx install --global"):
        must_be_readable_by_all([program])


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs this machine")
@pytest.mark.parametrize("command", ["install", "status", "remove"])
def test_without_systemd_the_command_says_so_and_writes_nothing(command: str, tmp_path: Path) -> None:
    done = run_frametally("service", command, cwd=tmp_path, XDG_CONFIG_HOME=str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "systemd does not run this machine" in done.err
    assert not list(tmp_path.iterdir())
