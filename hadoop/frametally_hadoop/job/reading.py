"""Reads the segments of a manifest, wherever a task runs, and checks their lines. Standard library only.

A line of a manifest is a split: one segment, or several separated by `ENTRY_SEPARATOR`. A segment is its URL
and, if not all of it is counted, a TAB and a JSON object with some of the fields of `SegmentEntry`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from frametally.errors import Poison, Retryable
from frametally.process.retrying import Backoff
from frametally.rules.places import Zones, parse_zones
from frametally.rules.seals import check_crc32, unsealed
from frametally.rules.times import DAY_MS, HOUR_MS, RECORD_VERSION
from frametally.rules.tombstones import Forgotten, is_forgotten
from frametally_hadoop.job.lines import BadLine, Frame, FrameSize, decode_frame, decode_frames

ENTRY_SEPARATOR = "\x1e"
"""Separates the segments of one manifest line; never occurs raw in an address."""


class SegmentEntry(NamedTuple):
    """One segment, and which parts of it are counted.

    Attributes:
        name: Its name in reports; by default its URL without the query, which may hold a signature.
        days: Whole days since 1970 UTC; all by default.
        hours: For these days by source, the whole hours since 1970; all by default.
        without: Ranges that do not count, as they are forgotten or lost to an overlapping medium.
        zones: By source and whole hour since 1970, the zones to count within; none by default.
    """

    url: str
    name: str
    days: Set[int] | None
    hours: dict[str, list[int]] | None
    without: Forgotten
    zones: dict[str, dict[int, Zones]]

    @property
    def sources(self) -> set[str] | None:
        """The sources that are counted; None means all."""
        return None if self.hours is None else self.hours.keys() | self.zones.keys()

    def has(self, source: str, unit_start_ms: int) -> bool:
        """Return whether a unit is counted over whole pictures."""
        return (self.days is None or unit_start_ms // DAY_MS in self.days) and (
            self.hours is None or unit_start_ms // HOUR_MS in self.hours.get(source, ())
        )

    def zones_of(self, source: str, unit_start_ms: int) -> Zones:
        """Return the zones to count a unit within."""
        return self.zones.get(source, {}).get(unit_start_ms // HOUR_MS, ())


def parse_line(line: str) -> Iterator[SegmentEntry]:
    """Yield the segments of a manifest line."""
    for text in filter(None, line.strip().split(ENTRY_SEPARATOR)):
        url, _, rest = text.partition("\t")
        fields = json.loads(rest) if rest else {}
        yield SegmentEntry(
            url,
            fields.get("name", url.partition("?")[0]),
            frozenset(fields["days"]) if "days" in fields else None,
            fields.get("hours"),
            fields.get("without", {}),
            {
                source: {int(hour): parse_zones(zones) for hour, zones in by_hour.items()}
                for source, by_hour in fields.get("zones", {}).items()
            },
        )


def entry_text(url: str, **fields: Any) -> str:
    """Return a segment's text in a manifest line, from the given fields of `SegmentEntry`."""
    return f"{url}\t{json.dumps(fields, separators=(',', ':'))}"


_READ_TIMEOUT_S = 60
_TRIES = 8
_PASSING = {408, 425, 429}
_BLOCK_BYTES = 512 * 1024

Fetch = Callable[..., Iterator[bytes]]
"""Yields the bytes at an address, as `fetch` does."""


class LinkEnded(Retryable):
    """A presigned link was refused, usually because it has expired. A new link may work."""


def fetch(url: str, what: str, *, block_bytes: int = _BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the bytes at `url`, block by block; errors call it `what`, such as `segment <key>`.

    Raises `Retryable` if it is unavailable or arrives incomplete; `LinkEnded` if its presigned link no longer
    works; `Poison` if it is not an address.
    """
    if not url.startswith(("file://", "http://", "https://", "hdfs://", "data:")):
        raise Poison(f"{what}: its address must begin with file://, http(s):// or hdfs://")
    if url.startswith("hdfs://"):
        yield from _read_hdfs(url, what, block_bytes)
        return
    if url.startswith("file:///"):  # cheaper than urllib for many small segments
        yield from _read_file(url, what, block_bytes)
        return
    import http.client  # with TLS; a round on one machine needs none

    done_bytes, tries, backoff = 0, _TRIES, Backoff(first_s=0.05, longest_s=2.0)
    while True:
        try:
            with _open(url, done_bytes) as response:
                expected_bytes = int(getattr(response, "length", 0) or 0)  # 0 where the server does not say
                while data := response.read(block_bytes):
                    yield data
                    done_bytes += len(data)
                    expected_bytes -= len(data)
                if expected_bytes <= 0:
                    return
                problem = "it arrived incomplete"  # a truncated body raises no error
        except (http.client.HTTPException, OSError) as error:  # urllib's own errors are OSErrors
            problem = _reason(url, error)
            status = _close(error)
            if status == http.client.FORBIDDEN and "?" in url:
                raise LinkEnded(
                    f"{what} cannot be read: {problem}: its presigned link has expired; links last as long "
                    "as the store's credentials, at most one day: check this node's clock, or use "
                    "credentials that last longer"
                ) from None
            if url.startswith("file://") or (400 <= status < 500 and status not in _PASSING):
                tries = 0
        tries -= 1
        if tries <= 0:
            raise Retryable(f"{what} cannot be read: {problem}") from None
        time.sleep(backoff.next_s())  # then resume where it broke off


def hadoop_command() -> str:
    """Return Hadoop's client: the one in `HADOOP_HOME`, otherwise the one on the path."""
    command = f"{os.environ.get('HADOOP_HOME')}/bin/hadoop"
    return command if os.access(command, os.X_OK) else "hadoop"


def _read_hdfs(url: str, what: str, block_bytes: int) -> Iterator[bytes]:
    """Read with the `hadoop` command, which every node of a cluster has."""
    command = hadoop_command()
    try:
        process = subprocess.Popen(  # noqa: S603
            [command, "fs", "-cat", url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise Retryable(f"{what} cannot be read: {command}: {error.strerror}") from None
    with process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101 - for the type checker
        while data := process.stdout.read(block_bytes):
            yield data
        stderr_lines = process.stderr.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise Retryable(
            f"{what} cannot be read: {stderr_lines[-1] if stderr_lines else 'hadoop fs -cat failed'}"
        )


def _read_file(url: str, subject: str, block_bytes: int) -> Iterator[bytes]:
    try:
        with Path(unquote(urlsplit(url).path)).open("rb", buffering=0) as file:
            while data := file.read(block_bytes):
                yield data
    except OSError as error:
        raise Retryable(f"{subject} cannot be read: {error}") from None


def _open(url: str, first_byte: int) -> IO[bytes]:
    import http.client
    import urllib.request

    headers = {"Range": f"bytes={first_byte}-"} if first_byte else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - its scheme was looked at
    response: Any = urllib.request.urlopen(request, timeout=_READ_TIMEOUT_S)  # noqa: S310
    if first_byte and response.status != http.client.PARTIAL_CONTENT:  # the server ignored the range
        response.read(first_byte)
    return response  # type: ignore[no-any-return]


def _reason(url: str, error: Exception) -> str:
    """Describe the error without secret parts of the address."""
    query = url.partition("?")[2]  # the signature of a presigned address
    return str(error).replace(query, "...") if query else str(error)


def _close(error: Exception) -> int:
    """Close an error response and return its status; return 0 for other errors."""
    import urllib.error

    if not isinstance(error, urllib.error.HTTPError):
        return 0
    error.close()
    return error.code


class CheckedPart(NamedTuple):
    """Some lines of a segment, from the end of the part before to `next_byte`, or to the end if it is None.

    Positions count from the first byte after the header.
    """

    what: str
    next_byte: int | None
    crc32: int


class LineChecksums:
    """The parts of one segment; the last part reaches to its end."""

    def __init__(self, name: str, parts: Iterable[CheckedPart]) -> None:
        """Expect these parts; call the segment `name` in errors."""
        self._name = name
        self._parts = list(parts)
        self._position = self._crc32 = 0

    def add(self, data: bytes | memoryview) -> None:
        """Take the next bytes. Raises `Poison` if a part that ends in them differs from what was stored."""
        view = memoryview(data)
        while view:
            next_byte = self._parts[0].next_byte
            size = len(view) if next_byte is None else max(next_byte - self._position, 0)
            here, view = view[:size], view[size:]
            self._crc32 = zlib.crc32(here, self._crc32)
            self._position += len(here)
            if next_byte is not None and len(here) == size:
                self._compare()

    def end(self) -> None:
        """Check that the rest is as stored. Raises `Poison`."""
        while self._parts:
            self._compare()

    def _compare(self) -> None:
        part, crc32 = self._parts.pop(0), self._crc32
        self._crc32 = 0
        try:
            check_crc32(crc32, part.crc32)
        except Poison as error:
            raise Poison(f"segment {self._name}, {part.what}: {error}") from None


_DIGEST_CHARACTERS = 4
_DIGEST = re.compile(rb"[A-Za-z0-9+/]{4}")


class Header(NamedTuple):
    """The parts of a segment's header needed for counting.

    `times` has the first and last captured_at_ms by source. `parts` are the lines of its sources, then its
    dead letters, with their checksums. `lines_of` has the number of lines of each source, in the segment's
    order. `ends` has what replaces the last brace of each frame's line: its picture's digest and a brace. It
    is empty if no picture was measured.
    """

    model: str
    frames: int
    dead_letters: int
    times: dict[str, tuple[int, int]]
    parts: list[CheckedPart]
    lines_of: list[tuple[str, int]]
    ends: list[bytes]


class CellRun(NamedTuple):
    """Consecutive frames of one source within a cell of time, with their lines and pictures' sizes."""

    cell_start_ms: int
    frames: Sequence[Frame]
    lines: Sequence[bytes]
    sizes: set[FrameSize]


class Block(NamedTuple):
    """Some lines of a segment.

    Attributes:
        lines: Lines that hold a frame, as in the segment, with the digest of their picture.
        bad: The other lines: the number of each in the segment, and why it was set aside.
    """

    model: str
    lines: Sequence[bytes]
    frames: Sequence[Frame]
    bad: Sequence[tuple[int, str]]

    def without(self, forgotten: Forgotten) -> Block:
        """Return the block without the frames that are forgotten."""
        if not forgotten:
            return self
        wanted = [
            (line, frame)
            for line, frame in zip(self.lines, self.frames, strict=True)
            if not is_forgotten(frame.media, frame.captured_at_ms, forgotten)
        ]
        return self._replace(lines=[line for line, _ in wanted], frames=[frame for _, frame in wanted])

    def runs(self, cell_length_ms: int) -> Iterator[CellRun]:
        """Yield the frames by cells of time; a segment is sorted, so the runs are long."""
        first, source, cell_ms, end_ms = 0, "", 0, 0
        media, width_px, height_px = "", 0, 0
        sizes: set[FrameSize] = set()
        for index, frame in enumerate(self.frames):  # hot loop: runs for every frame
            time_ms = frame.captured_at_ms
            if not cell_ms <= time_ms < end_ms or frame.source != source:
                if first < index:
                    yield CellRun(cell_ms, self.frames[first:index], self.lines[first:index], sizes)
                first, source, media, width_px, height_px, sizes = index, frame.source, "", 0, 0, set()
                cell_ms = time_ms - time_ms % cell_length_ms
                end_ms = cell_ms + cell_length_ms
            if frame.media != media or frame.width_px != width_px or frame.height_px != height_px:
                sizes.add((media := frame.media, width_px := frame.width_px, height_px := frame.height_px))
        if self.frames:
            yield CellRun(cell_ms, self.frames[first:], self.lines[first:], sizes)


def read_blocks(
    url: str,
    name: str,
    *,
    block_bytes: int = _BLOCK_BYTES,
    sources: Collection[str] | None = None,
    fetch: Fetch = fetch,
) -> Iterator[Block]:
    """Yield the frame lines of the segment at `url`, block by block; only those of `sources` if given.

    Only the last block proves that the segment is whole: publish nothing before. Errors call it `name`; about
    `block_bytes` of it are held at a time. `fetch` reads the bytes at `url`.

    Raises `Retryable` if it is unavailable or arrives incomplete; `Poison` if it is not a segment, has an
    unknown version, or is damaged.
    """
    header: Header | None = None
    checksums = LineChecksums(name, ())
    lines_read, tail = 0, b""
    for data in fetch(url, f"segment {name}", block_bytes=block_bytes):
        if header is not None:
            checksums.add(data)
        whole, newline, rest = data.rpartition(b"\n")
        if not newline:
            tail += rest
            continue
        text = tail + whole if tail else whole
        held_bytes, tail = len(tail), rest
        has_tabs = b"\t" in text or b"\r" in text
        lines = text.split(b"\n")
        if header is None:
            head = lines.pop(0)
            header = _decode_header(name, head)
            checksums = LineChecksums(name, header.parts)
            checksums.add(memoryview(data)[len(head) + 1 - held_bytes :])
        for first, end in _wanted_runs(header, sources, lines_read, lines_read + len(lines)):
            of_run = lines[first - lines_read : end - lines_read]
            yield _checked_block(of_run, header, first=first, has_tabs=has_tabs)
        lines_read += len(lines)
    if header is None:
        raise Retryable(f"segment {name} was cut short in its header")
    expected = header.frames + header.dead_letters
    if tail or lines_read < expected:
        raise Retryable(f"segment {name} was cut short: {lines_read} lines of {expected}")
    if lines_read > expected:
        raise Poison(f"segment {name} has {lines_read} lines, but its header says {expected}")
    checksums.end()


def _wanted_runs(
    header: Header, sources: Collection[str] | None, first: int, end: int
) -> Iterator[tuple[int, int]]:
    """Yield the runs of frame lines from `first` to before `end` that are of `sources`, or of all if None."""
    runs = [(0, header.frames)]
    if sources is not None:
        ends = [*accumulate(count for _, count in header.lines_of)]
        runs = [
            (next_line - count, next_line)
            for (source, count), next_line in zip(header.lines_of, ends, strict=True)
            if source in sources
        ]
    for run_first, run_end in runs:
        if max(run_first, first) < min(run_end, end):
            yield max(run_first, first), min(run_end, end)


def _line_ends(source: dict[str, Any]) -> list[bytes]:
    frames = int(source["frames"])
    if "picture_digests" not in source:
        return [b"}"] * frames
    text = source["picture_digests"]
    digests = _DIGEST.findall(text.encode())
    if not len(text) == _DIGEST_CHARACTERS * len(digests) == _DIGEST_CHARACTERS * frames:
        raise ValueError(f"{len(text)} characters are not the digests of {frames} pictures")
    return [b',"picture_digest":"%b"}' % digest for digest in digests]


def _checked_block(lines: list[bytes], header: Header, *, first: int, has_tabs: bool) -> Block:
    """Return the frames in `lines`, which follow `first` others. Digests, which need no check, come last."""
    ends = header.ends[first : first + len(lines)]
    if not has_tabs:
        frames = decode_frames(lines)
        if frames is not None and _all_belong(frames, header):
            if ends:
                lines = [line[:-1] + end for line, end in zip(lines, ends, strict=True)]
            return Block(header.model, lines, frames, ())
    good: list[bytes] = []
    of_good: list[Frame] = []
    bad: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        try:
            of_good.append(_checked_frame(line, header))
        except BadLine as error:
            bad.append((number + first + 2, str(error)))
        else:
            good.append(line[:-1] + ends[number] if ends and line.endswith(b"}") else line)
    return Block(header.model, good, of_good, bad)


def _all_belong(frames: Sequence[Frame], header: Header) -> bool:
    """Return whether each frame is as `_checked_frame` requires. This loop runs for every frame."""
    model, times = header.model, header.times
    source, folder, first_ms, last_ms = "", "", 0, -1
    for frame in frames:
        if frame.source != source:
            source = frame.source
            folder = f"images/{source}/"
            first_ms, last_ms = times.get(source, (0, -1))
        time_ms, path = frame.captured_at_ms, frame.image_path
        if (
            not first_ms <= time_ms <= last_ms
            or frame.model != model
            or not path.startswith(folder)
            or f"/{time_ms}-" not in path
        ):
            return False
    return True


def _checked_frame(line: bytes, header: Header) -> Frame:
    """Decode the frame in `line`, if its segment's header announces it.

    A frame's source and time must match its image path: only then do all lines of one frame meet in one
    group, where it is counted once. They must also be within the header's ranges, which days are planned by.

    Raises `BadLine` if they do not.
    """
    if b"\t" in line or b"\r" in line:  # JSON allows them, but engines split lines there
        raise BadLine("it contains a TAB or a carriage return")
    frame = decode_frame(line)
    source, time_ms = frame.source, frame.captured_at_ms
    if frame.model != header.model:
        raise BadLine(f"its model is {frame.model}, but the model of its segment is {header.model}")
    first_ms, last_ms = header.times.get(source, (0, -1))
    if not first_ms <= time_ms <= last_ms:
        raise BadLine(f"the header does not list source {source} at {time_ms} ms")
    path = frame.image_path
    if not path.startswith(f"images/{source}/") or f"/{time_ms}-" not in path:
        raise BadLine(f"image_path {path} belongs to another source or time")
    return frame


def _decode_header(name: str, head: bytes) -> Header:
    try:
        plain = unsealed(head)
    except Poison as error:
        raise Poison(f"segment {name}, header: {error}") from None
    try:
        fields: dict[str, Any] = json.loads(plain)
        version = fields.get("v", RECORD_VERSION)
        if version != RECORD_VERSION:
            raise Poison(
                f"segment {name} has version {version}, but this version of frametally reads version "
                f"{RECORD_VERSION}: upgrade frametally"
            )
        header = Header(fields["model"], int(fields["frames"]), int(fields["dead_letters"]), {}, [], [], [])
        for source in fields["sources"]:
            of_source, first_ms = source["source"], int(source["first_captured_at_ms"])
            header.times[of_source] = first_ms, int(source["last_captured_at_ms"])
            header.parts.append(CheckedPart(of_source, int(source["next_byte"]), int(source["crc32"])))
            header.lines_of.append((of_source, int(source["frames"])))
            header.ends.extend(_line_ends(source))
        header.parts.append(CheckedPart("dead letters", None, int(fields["dead_letters_crc32"])))
        if not any("picture_digests" in source for source in fields["sources"]):
            header.ends.clear()
        return header
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Poison(f"segment {name}: its first line is not a segment header ({error!r})") from error
