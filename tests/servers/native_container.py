"""A service of the compose file as it would run in its container, without an engine.

A process gets what an engine would give it: a separate file system (the machine's, with writes kept apart;
read-only where the file says so), its volumes, its user, its environment and no rights. It shares the network
with its starter, so the caller enters a network namespace first. Only root can do this.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# As engines provide it: a separate /dev with the right permissions.
_DEVICES = """\
mount -t tmpfs -o mode=755 none $ROOT/dev
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 $ROOT/dev/${device%:*} c 1 ${device#*:}
done
mkdir -m 1777 $ROOT/dev/shm
ln -s /proc/self/fd $ROOT/dev/fd
ln -s /proc/self/fd/0 $ROOT/dev/stdin
ln -s /proc/self/fd/1 $ROOT/dev/stdout
ln -s /proc/self/fd/2 $ROOT/dev/stderr"""


@dataclass(frozen=True, kw_only=True)
class Container:
    """The program to run, and its environment.

    Attributes:
        command: The program with its arguments.
        environment: All of its environment except PATH and HOME.
        user: `uid:gid`.
        binds: Files and folders of this machine by the path that it sees them at; `:ro` at the end of the
            path means that it must not write there.
        tmpfs: Paths with the options of the file system, such as `/tmp:size=1g,mode=1777`.
        read_only: Whether nothing else may be written to.
        hosts: Lines of /etc/hosts.
        prepare: Shell lines of what the image has that this machine has not; `$ROOT` is its file system.
        workdir: Where it starts.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    user: str
    binds: Mapping[str, Path] = field(default_factory=dict)
    tmpfs: Sequence[str] = ()
    read_only: bool = False
    hosts: str = "127.0.0.1 localhost\n"
    prepare: str = ""
    workdir: str = "/"


def start(container: Container, scratch: Path, log: Path) -> subprocess.Popen[bytes]:
    """Run it in a separate session; its output is appended to `log`, and signals go to the program itself."""
    scratch.mkdir(parents=True, exist_ok=True)
    script = scratch / "run.sh"
    script.write_text(_script(container, scratch), encoding="utf-8")
    with log.open("ab") as output:
        return subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "bash", str(script)],
            env=_environment(container),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def run_inside(
    container: Container, pid: int, command: Sequence[str], *, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run another program in the container whose main process is `pid`, as `docker exec` would."""
    return subprocess.run(
        ["nsenter", f"--target={pid}", "--mount", "--root", "--wd=/", *_as_user(container), *command],
        env=_environment(container),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def _environment(container: Container) -> dict[str, str]:
    return {"PATH": _PATH, "HOME": "/tmp", "LANG": "C.UTF-8", **container.environment}  # noqa: S108


def _as_user(container: Container) -> list[str]:
    uid, gid = container.user.split(":")
    return [
        "setpriv",
        f"--reuid={uid}",
        f"--regid={gid}",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
    ]


def _script(container: Container, scratch: Path) -> str:
    root, layers = scratch / "root", scratch / "layers"
    lines = [
        "set -euo pipefail",
        f'INNER_PATH="$PATH"; PATH={_PATH}; ROOT={root}',
        f"mkdir -p {root} {layers}",
        f"mount -t tmpfs none {layers}",
        f"mkdir {layers}/upper {layers}/work",
        f"mount -t overlay -o lowerdir=/,upperdir={layers}/upper,workdir={layers}/work overlay {root}",
        f"for part in proc sys; do mount --rbind /$part {root}/$part; done",
        _DEVICES,
        # A Python may be in root's folder.
        f"chmod 711 {root}/root",
        f"printf %s {shlex.quote(container.hosts)} > {root}/etc/hosts",
        container.prepare,
    ]
    for entry in container.tmpfs or ["/tmp:mode=1777"]:  # noqa: S108
        path, _, options = entry.partition(":")
        lines += [_at(path), 'mkdir -p "$AT"', f'mount -t tmpfs -o {options or "mode=1777"} none "$AT"']
    for target, source in {f"{REPOSITORY}:ro": REPOSITORY, **container.binds}.items():
        path, _, how = target.partition(":")
        make = 'mkdir -p "$AT"' if source.is_dir() else 'mkdir -p "${AT%/*}"; touch "$AT"'
        lines += [_at(path), make, f'mount --bind {shlex.quote(str(source))} "$AT"']
        if how == "ro":
            lines.append('mount -o remount,bind,ro "$AT"')
    if container.read_only:
        lines.append(f"mount -o remount,bind,ro {root}")
    command = shlex.join([*_as_user(container), "sh", "-c", 'cd "$0" && exec "$@"', container.workdir])
    lines.append(f'exec chroot {root} env PATH="$INNER_PATH" {command} {shlex.join(container.command)}')
    return "\n".join(line for line in lines if line) + "\n"


def _at(path: str) -> str:
    """The place outside of a path in the container: its links are followed inside."""
    return f'AT="$ROOT$(chroot "$ROOT" realpath -m {shlex.quote(path)})"'
