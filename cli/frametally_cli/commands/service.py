"""`frametally service`: runs `frametally up` as a systemd service, which starts again after a reboot.

The unit may write only to its data and model folders. See systemd.exec(5) for its directives.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from frametally.console.options import data_dir_option, read_settings
from frametally.errors import Misconfigured
from frametally.files.replacing import replace_file
from frametally.settings.data_folder import must_be_writable
from frametally.settings.loading import Settings
from frametally_cli.checkup.machine import env_file_rows

NAME = "frametally.service"
NOT_RUNNING = 3  # as `systemctl status`
_BOOTED = Path("/run/systemd/system")  # as sd_booted(3)
_SYSTEM_DATA = Path("/var/lib/frametally")
_SYSTEM_MODELS = Path("/var/cache/frametally")

# No MemoryDenyWriteExecute: detectors compile code. No PrivateDevices: cameras and GPUs are devices. A job
# calls `seccomp` to give up the network before it decodes; @system-service of systemd 252 does not have it.
_HARDENING = """\
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service seccomp
SystemCallErrorNumber=EPERM
UMask=0077
"""
_AS_SYSTEM = """\
DynamicUser=yes
SupplementaryGroups=video
StateDirectory=frametally
CacheDirectory=frametally
CapabilityBoundingSet=
ProtectHome=read-only
ProtectProc=invisible
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
"""


class ServicePlace(NamedTuple):
    """Where a service belongs: to this user, or with `is_system` to the machine."""

    is_system: bool

    @property
    def configuration(self) -> Path:
        """The folder of this user's or the machine's configuration."""
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return Path("/etc") if self.is_system else home

    @property
    def unit(self) -> Path:
        """The file that describes the service to systemd."""
        return self.configuration / "systemd" / ("system" if self.is_system else "user") / NAME

    @property
    def environment(self) -> Path:
        """The file with the service's settings and secrets, as NAME=value; it need not exist."""
        return self.configuration / "frametally.env"

    def systemctl(self, *arguments: str) -> str:
        """Run `systemctl` and return its output. Raises `Misconfigured` with its own words if it fails."""
        return _output("systemctl", *(() if self.is_system else ("--user",)), *arguments)


def unit_text(place: ServicePlace, settings: Settings) -> str:
    """Return the unit of a service that runs `frametally up` on the data folder of `settings`.

    Raises:
        Misconfigured: The path of a folder contains a line break, or that of the program a quotation mark.
    """
    data_dir, models_dir = settings.data_dir, settings.models_dir.expanduser().absolute()
    if place.is_system:
        data_dir, models_dir = _SYSTEM_DATA, _SYSTEM_MODELS
    words = ["-P", "-m", "frametally", "up", "--data-dir", str(data_dir)]
    # systemd puts values of variables into the words, and leaves the program as it is.
    program = [_program(), *(_quoted(word).replace("$", "$$") for word in words)]
    rights = _AS_SYSTEM
    if not place.is_system:
        # Without PrivateUsers, a user's systemd cannot change what the service sees of the file system.
        rights = f"PrivateUsers=yes\nReadWritePaths={_quoted(data_dir)} {_quoted(models_dir)}\n"
    online = "Wants=network-online.target\nAfter=network-online.target\n" if place.is_system else ""
    return (
        "[Unit]\n"
        "Description=frametally: counts the objects in camera streams and videos\n"
        f"{online}\n"
        "[Service]\n"
        "Type=exec\n"
        f"ExecStart={' '.join(program)}\n"
        f"WorkingDirectory={_escaped(data_dir)}\n"
        f"Environment={_quoted(f'FRAMETALLY_MODELS_DIR={models_dir}')}\n"
        f"EnvironmentFile=-{_escaped(place.environment)}\n"
        "Restart=on-failure\n"
        "RestartSec=5\n"
        "KillMode=mixed\n"
        "TimeoutStopSec=60\n"
        f"{rights}{_HARDENING}\n"
        "[Install]\n"
        f"WantedBy={'multi-user' if place.is_system else 'default'}.target\n"
    )


def _escaped(path: object) -> str:
    text = str(path)
    if re.search(r"[\x00-\x1f]", text):
        raise Misconfigured(f"{text!r} contains a control character: choose another folder")
    return text.replace("%", "%%")


def _quoted(word: object) -> str:
    escaped = _escaped(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _program() -> str:
    if re.search(r"[\"'\\]", sys.executable):
        raise Misconfigured(
            f"{sys.executable}: systemd starts no program in a folder whose name contains quotation marks or "
            "backslashes; install frametally in another folder"
        )
    return _quoted(sys.executable)


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed programs
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise Misconfigured(f"`{shlex.join(command)}` failed ({reason}): correct that, then try again")
    return done.stdout


def _place(is_system: bool, *, is_changing: bool = True) -> ServicePlace:
    """Return the place of the service. Raises `Misconfigured` if this machine or user cannot have one."""
    if not (_BOOTED.is_dir() and shutil.which("systemctl")):
        raise Misconfigured(
            "systemd does not run this machine, so it cannot have a service: start `frametally up` by what "
            "starts programs here, or use the container image"
        )
    if is_system and is_changing and os.geteuid() != 0:
        raise Misconfigured("--system needs root: run it with sudo, or leave out --system")
    return ServicePlace(is_system)


def must_be_readable_by_all(paths: Sequence[Path]) -> None:
    """Raise `Misconfigured` if another account cannot reach one of the paths, such as those below /root."""
    for path in paths:
        for folder in (path, *path.parents):
            mode = folder.stat().st_mode
            if not mode & (stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH):
                raise Misconfigured(
                    f"{path}: other accounts may not read {folder}, and the service runs as one of its own; "
                    "install frametally for every account, such as with `pipx install --global`"
                )


_system_option = click.option(
    "--system", "is_system", is_flag=True, help="For the machine, as its own account."
)


@click.group()
def service() -> None:
    """Run `frametally up` in the background, also after a reboot (systemd)."""


@service.command("install")
@_system_option
@data_dir_option
def install_command(is_system: bool, **overrides: Any) -> int:
    """Write the service, start it, and start it at each boot. Run it again after an upgrade."""
    place = _place(is_system)
    if is_system and overrides["data_dir"] is not None:
        raise Misconfigured(f"--system keeps its data in {_SYSTEM_DATA}: leave out --data-dir")
    settings = read_settings("web", overrides)
    if is_system:
        must_be_readable_by_all([Path(sys.executable), Path(sys.executable).resolve(), Path(__file__)])
    else:
        models_dir = settings.models_dir.expanduser()
        must_be_writable(settings.data_dir)
        must_be_writable(models_dir, "FRAMETALLY_MODELS_DIR")
        for folder in (settings.data_dir, models_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = unit_text(place, settings)
    place.unit.parent.mkdir(parents=True, exist_ok=True)
    replace_file(place.unit, text.encode())
    place.systemctl("daemon-reload")
    if not is_system:
        _output("loginctl", "enable-linger")  # else it starts only when this user logs in
    place.systemctl("enable", NAME)
    place.systemctl("restart", NAME)
    click.echo(f"written: {place.unit}")
    click.echo(f"settings and secrets: {place.environment}, as NAME=value; then run this command again")
    click.echo(f"log: journalctl {'' if is_system else '--user '}--unit {NAME}")
    for exposed in env_file_rows([place.environment]):
        click.echo(f"{exposed.name}: {exposed.value}; {exposed.remedy}", err=True)
    return 0


@service.command("status")
@_system_option
def status_command(is_system: bool) -> int:
    """Show whether the service runs, and whether it starts at boot; exit with 3 if it does not run."""
    place = _place(is_system, is_changing=False)
    answer = place.systemctl("show", NAME, "--property=ActiveState,SubState,UnitFileState,NRestarts,Result")
    state = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    if not place.unit.is_file():
        click.echo("not installed: `frametally service install` installs it")
        return NOT_RUNNING
    click.echo(f"service: {state['ActiveState']} ({state['SubState']}), restarts: {state['NRestarts']}")
    click.echo(f"starts at boot: {'yes' if state['UnitFileState'] == 'enabled' else 'no'}")
    if state["Result"] != "success":
        click.echo(f"ended with: {state['Result']}; journalctl {'' if is_system else '--user '}--unit {NAME}")
    return 0 if state["ActiveState"] == "active" else NOT_RUNNING


@service.command("remove")
@_system_option
def remove_command(is_system: bool) -> int:
    """Stop the service and delete its unit; all data stays."""
    place = _place(is_system)
    if not place.unit.is_file():
        raise Misconfigured(f"{place.unit} does not exist: there is no service to remove")
    place.systemctl("disable", "--now", NAME)
    place.unit.unlink()
    place.systemctl("daemon-reload")
    click.echo(f"removed: {place.unit}; the data stays")
    return 0
