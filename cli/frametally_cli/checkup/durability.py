"""Finds out what the system shows of disks that lose what they have confirmed when the power fails."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from frametally.checkup.findings import Finding
from frametally.settings.data_folder import store_folder
from frametally.settings.loading import Settings

_MOUNTS, _LIBRARIES = Path("/proc/self/mountinfo"), Path("/proc/self/maps")
_IN_MEMORY = {"ramfs", "tmpfs"}
_LYING_OPTIONS = {"barrier=0", "nobarrier", "volatile"}
"""Options of ext4, XFS, Btrfs and overlayfs by which a disk confirms what it has not written."""
_CONSEQUENCE = "a power cut can lose what frametally has confirmed"


class _Mount(NamedTuple):
    point: Path
    kind: str
    options: set[str]


def durability_rows(settings: Settings) -> Iterator[Finding]:
    """Name once what makes confirmed writes of the data folder, or of the store's folder, unsafe.

    A disk's own cache and what a file server does cannot be seen. Systems other than Linux show nothing.
    """
    if "libeatmydata" in _text_of(_LIBRARIES):
        remedy = f"{_CONSEQUENCE}: start frametally without libeatmydata; see LD_PRELOAD"
        yield Finding("disk", "power cut", "libeatmydata keeps writes from the disk", remedy=remedy)
    mounts = {mount.point: mount for mount in map(_mount_of, _text_of(_MOUNTS).splitlines())}
    folders = [settings.data_dir, store_folder(settings) or settings.data_dir]
    for mount in {point: mounts[point] for point in _points_of(folders, mounts)}.values():
        if mount.kind in _IN_MEMORY:
            note = "a power cut loses all that it holds"
            yield Finding("disk", "power cut", f"{mount.point} is in memory ({mount.kind})", note)
        elif options := ", ".join(sorted(mount.options & _LYING_OPTIONS)):
            remedy = f"{_CONSEQUENCE}: mount {mount.point} without this option"
            yield Finding("disk", "power cut", f"{mount.point} is mounted with {options}", remedy=remedy)


def _points_of(folders: Iterable[Path], mounts: Collection[Path]) -> Iterator[Path]:
    """Yield the mount point of each folder, if the system tells it."""
    for folder in folders:
        place = folder.resolve()
        yield from [above for above in (place, *place.parents) if above in mounts][:1]


def _mount_of(line: str) -> _Mount:
    """Return the mount that a line of `mountinfo` describes; see proc(5)."""
    of_mount, _, of_system = line.partition(" - ")
    _, _, _, _, point, options, *_ = of_mount.split(" ")
    kind, _, more = of_system.split(" ", 2)
    plain = point.encode().decode("unicode_escape")  # spaces are \040
    return _Mount(Path(plain), kind, {*options.split(","), *more.split(",")})


def _text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
