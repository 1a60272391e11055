"""`container_engine.py COMMAND...`: runs a command with a container engine: the user's, if one answers.

Else one of its own, from Debian's packages, in a network and a mount namespace of its own: the machine keeps
its network, its firewall and its mounts. The command runs in there, too, and reaches what the containers
publish at 127.0.0.1. Images and layers are kept in the servers' cache, so that a second run builds little.

The command is told which by FRAMETALLY_ENGINE, and by FRAMETALLY_NO_ENGINE why there is none. Needs root,
`unshare` and `nsenter` (util-linux), and `ip` (Debian: iproute2).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from serving.downloads import cache_folder, debian
from serving.processes import ServerFailed, last_lines

ENGINE, NO_ENGINE = "FRAMETALLY_ENGINE", "FRAMETALLY_NO_ENGINE"
OWN = "own"
_START_S, _STOP_S = 60.0, 30.0
_DAEMON = """\
ip link set lo up
mount --make-rprivate /
exec dockerd --host "unix://$0/docker.sock" --exec-root "$0/exec" --pidfile "$0/pid" --data-root "$1"
"""


def main() -> None:
    """Run the command, and exit with its code."""
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches the command as well, which then ends
    command = sys.argv[1:]
    if _answers():
        sys.exit(subprocess.call(command, env=os.environ | {ENGINE: "the user's"}))
    try:
        with _own_engine() as (inside, environment):
            sys.exit(subprocess.call([*inside, *command], env=os.environ | environment))
    except ServerFailed as error:
        sys.exit(subprocess.call(command, env=os.environ | {NO_ENGINE: str(error)}))


def _answers() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "version"], capture_output=True, check=False)
    return asked.returncode == 0


@contextmanager
def _own_engine() -> Iterator[tuple[list[str], dict[str, str]]]:
    """The prefix for a command that uses it, and the command's environment.

    Raises:
        ServerFailed: It is not available here; the message says why.
    """
    if os.geteuid() != 0:
        raise ServerFailed("no Docker engine answers; start one, or run this as root")
    debian("dockerd", ["docker.io"])
    debian("slirp4netns", ["slirp4netns"])
    debian("docker-compose", ["docker-compose"])
    data = cache_folder() / "engine"
    data.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="frametally-engine-"))
    environment = {"DOCKER_HOST": f"unix://{folder}/docker.sock", ENGINE: OWN}
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-euc", _DAEMON, str(folder), str(data)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the command
        )
    uplink = None
    try:
        _wait_for(daemon, folder / "log", environment)
        # The way out to the package indices; no connection comes in by it or reaches this machine's loopback.
        uplink = subprocess.Popen(
            ["slirp4netns", "--configure", "--mtu=1400", "--disable-host-loopback", str(daemon.pid), "tap0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        yield ["nsenter", f"--target={daemon.pid}", "--net", "--mount", f"--wd={Path.cwd()}"], environment
    finally:
        for process in (daemon, uplink):
            if process is not None:
                _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(daemon: subprocess.Popen[bytes], log: Path, environment: dict[str, str]) -> None:
    by_s = time.monotonic() + _START_S
    while True:
        asked = subprocess.run(
            ["docker", "version"], env=os.environ | environment, capture_output=True, check=False
        )
        if asked.returncode == 0:
            return
        if daemon.poll() is not None or time.monotonic() > by_s:
            raise ServerFailed(f"Docker's engine does not start here\n{last_lines(log, 20)}")
        time.sleep(0.3)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_STOP_S)
        return
    process.kill()
    process.wait()


if __name__ == "__main__":
    main()
