"""Finds the media and files at the given paths; reads only the bytes of regular files."""

from __future__ import annotations

import calendar
import hashlib
import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Literal, NamedTuple

from frametally.errors import Poison
from frametally.files.names import as_text
from frametally.process.reports import Skipped, plural, size_text
from frametally.rules.time_patterns import SOURCE, TimePattern
from frametally_producer.reading.containers import HEAD_BYTES, container_format

_PIECE_BYTES = 1 << 22
_WORD = re.compile(r"[^\W\d_]{2}")
_OF_CALENDAR = re.compile(
    "|".join(
        re.escape(name)
        for names in (calendar.month_name, calendar.day_name, calendar.month_abbr, calendar.day_abbr)
        for name in names
        if name
    ),
    re.IGNORECASE,
)
# An MP4 or QuickTime header `cmov`, which states its own unpacked size, as FFmpeg recognizes it.
_PACKED_HEADER = re.compile(rb"dcomzlib.{4}cmvd", re.DOTALL)
_PACKED_HEADER_BYTES = 16


class WithoutPackedHeaders:
    """A file for FFmpeg without compressed headers, which it would unpack in memory to any stated size."""

    def __init__(self, file: BufferedReader) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._file = file
        self._last, self._next_at = b"", 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes. Raises `Poison` if they contain such a header."""
        position = self._file.tell()
        data = self._file.read(size)
        before = self._last if position == self._next_at else b""
        if _PACKED_HEADER.search(before + data[: _PACKED_HEADER_BYTES - 1]) or _PACKED_HEADER.search(data):
            raise Poison(
                "has a compressed header (cmov), which frametally does not read; export it again as MP4"
            )
        self._last = (before + data)[1 - _PACKED_HEADER_BYTES :]
        self._next_at = position + len(data)
        return data


def lacks_rate(head: bytes) -> bool:
    """Return whether `head` begins an AVI without a frame rate, for which FFmpeg assumes a usual one."""
    whole, pictures = head.find(b"avih") + 8, head.find(b"vids") + 20
    rates = head[whole : whole + 4], head[pictures : pictures + 4], head[pictures + 4 : pictures + 8]
    return head.startswith(b"RIFF") and not any(rates[0]) and not (any(rates[1]) and any(rates[2]))


@contextmanager
def open_medium(path: Path) -> Iterator[BufferedReader]:
    """Open the file at `path` for reading.

    Raises `Poison` if it is empty or not a regular file (a device, a pipe); `OSError` if it cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise Poison("is a device, a pipe or a socket; give a regular file")
    if status.st_size == 0:
        raise Poison("is empty (0 bytes); copy it again from the original")
    with path.open("rb") as file:
        yield file


def sha256_of(file: BufferedReader, step: Callable[[], None] = lambda: None) -> str:
    """Return the SHA-256 of all bytes of the file, hex.

    `step` is called after each piece that is read, and may raise to end the reading. The file's position is
    the same afterwards.
    """
    position = file.tell()
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
        step()
    file.seek(position)
    return digest.hexdigest()


def why_unusable(error: Poison | OSError) -> str:
    """Return why a file is unusable, with the remedy."""
    if isinstance(error, Poison):
        return str(error)
    return (
        f"cannot be read ({error.strerror or error}); check that it exists and that you have permission to "
        "read it"
    )


PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mp4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".flv", ".f4v"}
    | {".mpg", ".mpeg", ".vob", ".mod", ".tod", ".ts", ".mts", ".m2ts", ".wmv", ".asf", ".ogv", ".ogm"}
    | {".mjpg", ".mjpeg"}
)
# Formats that are reported as unsupported rather than silently skipped.
OTHER_SUFFIXES = frozenset(
    {".heic", ".heif", ".avif", ".gif", ".dng", ".cr2", ".nef", ".arw", ".jfif", ".jp2"}
    | {".m3u8", ".dav", ".h264", ".264", ".h265", ".265", ".hevc", ".mxf", ".insv", ".lrv"}
)

ARCHIVE_SUFFIXES = frozenset({".zip", ".7z", ".rar", ".tar", ".tgz"})

_LEAST_UNNAMED_BYTES = 100_000
"""A file without an ending is looked into from this size on: smaller ones are hardly footage."""
_MOST_KINDS = 8
_PICTURE_HEADS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*")

HOLDS_NOTHING = "has no pictures or videos; put some there"


class VideoToProduce(NamedTuple):
    """A video file and the display name of its source."""

    path: Path
    source_name: str

    @property
    def paths(self) -> tuple[Path, ...]:
        """The one file, in the form of `PicturesToProduce.paths`."""
        return (self.path,)


class PicturesToProduce(NamedTuple):
    """The sorted picture files of one given path and the display name of their source."""

    name: str
    paths: tuple[Path, ...]
    source_name: str


class Footage(NamedTuple):
    """The media at the paths, in the order given, and the inputs that cannot be produced.

    Attributes:
        notes: Messages about their sources for people, one line each.
        passed_over: The files in folders whose names do not end like footage, and their sizes in bytes.
    """

    media: list[VideoToProduce | PicturesToProduce]
    skipped: list[Skipped]
    notes: list[str]
    passed_over: dict[Path, int]


def find_footage(
    paths: Sequence[Path],
    *,
    source: str | None,
    leave_out: Collection[Path],
    pattern: TimePattern | None = None,
) -> Footage:
    """Find the media at `paths`: files, or folders (searched recursively and sorted, without hidden ones).

    The source's name is `source`, or the one that `pattern` finds in the file's path, or the name of the
    given folder, or the stem of a single file. Folders in `leave_out`, such as those that frametally writes,
    are not searched.
    """
    footage = Footage([], [], [], {})

    def name_of(path: Path) -> str:
        match = pattern.match(path) if pattern is not None and pattern.names_source else None
        return as_text(source or (match.source if match else ""))

    for path in dict.fromkeys(paths):
        if path.is_dir():
            name = as_text(path.resolve().name or "source")
            _add_folder(footage, path, name, name_of, leave_out)
        elif path.exists():
            _add_file(footage, path, name_of(path) or as_text(path.stem))
        else:
            footage.skipped.append(Skipped(str(path), "this file or folder does not exist; check the path"))
    return footage


def _add_file(footage: Footage, path: Path, source_name: str) -> None:
    kind = _kind_of(path)
    if kind == "picture":
        footage.media.append(PicturesToProduce(as_text(path), (path,), source_name))
    elif kind == "video":
        footage.media.append(VideoToProduce(path, source_name))
    else:
        footage.skipped.append(_not_read(path))


def _kind_of(path: Path, *, least_bytes: int = 0) -> Literal["picture", "video", "other", ""]:
    """Return what a file is by its ending, or by its first bytes if it has none and is not too small.

    `other` is footage, or an archive, that frametally does not read; empty means no footage.
    """
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix:
        return "other" if suffix in OTHER_SUFFIXES | ARCHIVE_SUFFIXES else ""
    try:
        if path.stat().st_size < least_bytes:
            return ""
        with open_medium(path) as file:
            head = file.read(HEAD_BYTES)
        is_webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
        if head.startswith(_PICTURE_HEADS) or is_webp:
            return "picture"
        container_format(head)
    except (Poison, OSError):
        return ""
    return "video"


def _add_folder(
    footage: Footage,
    folder: Path,
    usual_name: str,
    name_of: Callable[[Path], str],
    leave_out: Collection[Path],
) -> None:
    left_out = {path.resolve() for path in leave_out} - {folder.resolve()}
    pictures: list[Path] = []
    videos: list[Path] = []
    others: list[Path] = []
    skipped_before = len(footage.skipped)

    def unreadable(error: OSError) -> None:
        footage.skipped.append(Skipped(str(error.filename), why_unusable(error)))

    for parent, subfolders, files in os.walk(folder, onerror=unreadable):
        subfolders[:] = sorted(
            name for name in subfolders if name[0] != "." and Path(parent, name).resolve() not in left_out
        )
        for path in (Path(parent, name) for name in subfolders):
            if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
                footage.skipped.append(Skipped(str(path), "is a link to a folder; give the folder itself"))
        for path in (Path(parent, name) for name in sorted(files) if name[0] != "."):
            kind = _kind_of(path, least_bytes=_LEAST_UNNAMED_BYTES)
            if kind:
                {"picture": pictures, "video": videos, "other": others}[kind].append(path)
            else:
                with suppress(OSError):  # removed since it was listed
                    footage.passed_over[path] = path.stat().st_size
    names = {path: name_of(path) for path in (*pictures, *videos)}
    by_source: dict[str, list[Path]] = {}
    for path in pictures:
        by_source.setdefault(names[path] or usual_name, []).append(path)
    for name, paths in by_source.items():
        footage.media.append(PicturesToProduce(as_text(folder), tuple(paths), name))
    footage.media.extend(VideoToProduce(path, names[path] or usual_name) for path in videos)
    folders = {path.parent for path, name in names.items() if not name}
    cameras = {_cameras(parent.relative_to(folder)) for parent in folders} - {()}
    if len(cameras) > 1:
        footage.notes.append(
            f"{len(cameras)} folders with footage below {as_text(folder)} become one source, {usual_name}: "
            f"if they are of several cameras, give {SOURCE} in --time-pattern, or produce each folder with "
            "--source"
        )
    footage.skipped.extend(_not_read(path) for path in others)
    if not pictures and not videos and len(footage.skipped) == skipped_before:
        footage.skipped.append(Skipped(str(folder), HOLDS_NOTHING))


def passed_over_line(passed_over: Mapping[Path, int]) -> str:
    """Return a line about files that are passed over, by ending with number and size; empty without any."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for path, size_bytes in passed_over.items():
        sizes[as_text(path.suffix.lower()) or "without ending"].append(size_bytes)
    kinds = sorted(sizes, key=lambda kind: (-sum(sizes[kind]), kind))
    parts = [f"{len(sizes[kind])} {kind} ({size_text(sum(sizes[kind]))})" for kind in kinds[:_MOST_KINDS]]
    if kinds[_MOST_KINDS:]:
        others = [size_bytes for kind in kinds[_MOST_KINDS:] for size_bytes in sizes[kind]]
        parts.append(f"{len(others)} with other endings ({size_text(sum(others))})")
    return (
        f"passed over {plural(len(passed_over), 'file')} without the ending of a picture or video: "
        f"{', '.join(parts)}; convert those that are footage, or rename them if only the ending is wrong"
        if parts
        else ""
    )


def _cameras(folder: Path) -> tuple[str, ...]:
    """Return the parts of a path that may name a camera: those with a word other than months and days."""
    return tuple(part for part in folder.parts if _WORD.search(_OF_CALENDAR.sub("", part)))


def _not_read(path: Path) -> Skipped:
    if path.suffix.lower() in ARCHIVE_SUFFIXES:
        return Skipped(str(path), "is an archive, which frametally does not open; unpack it")
    known = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES | VIDEO_SUFFIXES))
    return Skipped(
        str(path), f"its name does not end like a file that frametally reads ({known}); convert it"
    )
