"""The map side of the counting job: segments in, raw frame lines grouped by interval out.

Standard library only. A task's input is manifest lines: a segment's URL, then, each after a TAB and each
optional, the days to count (whole days since 1970-01-01 UTC, separated by commas; none: all of them), the
name that the segment has in reports (none: its URL without the query, where a presigned one is signed) and
what is forgotten (see `tombstones.Forgotten`, as a JSON object).

Four kinds of pairs come out, keys as JSON arrays:

- `["frames", model, source, interval_start_ms]`: frame lines as they stand in the segments, joined by
  `LINE_SEPARATOR`;
- `["tracks", model, source, hour_start_ms]`: the same for a UTC hour and its margins, if objects are tracked;
- `["corrupt", segment, line_number]`: why that line was set aside, as a JSON string;
- `["lines", model, day_start_ms]`: how many frame lines of that UTC day were passed on; what is published is
  compared with it.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from frametally.errors import Poison, Retryable
from frametally.tombstones import Forgotten, is_forgotten
from frametally_hadoop.hours import hours_near
from frametally_hadoop.lines import RECORD_VERSION, BadLine, Frame, decode_frame
from frametally_hadoop.params import CountParams

LINE_SEPARATOR = b"\x1e"
"""Stands between grouped lines: no JSON text holds it raw."""

DAY_MS = 86_400_000
_READ_TIMEOUT_S = 60
_BUFFER_BYTES = 64 * 1024 * 1024

Count = Callable[[str, str, int], None]
"""Adds to a counter of the engine: group, name, amount."""


class Header(NamedTuple):
    """What counting needs of a segment's header: `times` are first and last captured_at_ms by source."""

    model: str
    frames: int
    dead_letters: int
    times: dict[str, tuple[int, int]]


class FrameGroups:
    """The frame lines of all segments of one task by interval and by hour, in bounded memory."""

    def __init__(self, params: CountParams, count: Count, *, buffer_bytes: int = _BUFFER_BYTES) -> None:
        """Hold at most about `buffer_bytes` of lines before they are passed on."""
        self._interval_ms = params.interval_s * 1000
        self._count = count
        self._buffer_bytes = buffer_bytes
        self._tracks = params.tracking is not None
        self._groups: dict[tuple[str, str, str, int], list[bytes]] = {}
        self._held_bytes = 0

    def add(self, manifest_line: str) -> Iterator[tuple[bytes, bytes]]:
        """Read one segment; yields the lines set aside, and the groups when the buffer is full.

        Raises:
            Retryable: The segment cannot be read now, or came cut short.
            Poison: It is no segment.
        """
        url, days, name, stones = [*manifest_line.strip().split("\t"), "", "", ""][:4]
        if not url:
            return
        name = name or url.partition("?")[0]
        wanted = frozenset(int(day) for day in days.split(",")) if days else None
        forgotten: Forgotten = json.loads(stones) if stones else {}
        header, frame_lines = split_segment(name, _read(url, name))
        groups = self._groups
        for number, line in enumerate(frame_lines, start=2):
            try:
                frame = checked_frame(line, header)
            except BadLine as error:
                self._count("frames", "corrupt lines set aside", 1)
                yield to_json(["corrupt", name, number]), to_json(str(error))
                continue
            time_ms = frame.captured_at_ms
            if forgotten and is_forgotten(frame.media, time_ms, forgotten):
                continue
            keys = [("frames", header.model, frame.source, time_ms - time_ms % self._interval_ms)]
            if self._tracks:
                keys += [("tracks", header.model, frame.source, hour) for hour in hours_near(time_ms)]
            for key in keys:
                if wanted is not None and key[3] // DAY_MS not in wanted:
                    continue
                group = groups.get(key)
                if group is None:
                    groups[key] = [line]
                else:
                    group.append(line)
                self._held_bytes += len(line)
        if self._held_bytes >= self._buffer_bytes:
            yield from self.drain()

    def drain(self) -> Iterator[tuple[bytes, bytes]]:
        """Pass on all that is held."""
        passed_on: dict[tuple[str, int], int] = {}
        for key, lines in self._groups.items():
            yield to_json(key), LINE_SEPARATOR.join(lines)
            if key[0] == "frames":
                day = key[1], key[3] // DAY_MS * DAY_MS
                passed_on[day] = passed_on.get(day, 0) + len(lines)
        for (model, day_start_ms), frame_lines in passed_on.items():
            yield to_json(["lines", model, day_start_ms]), b"%d" % frame_lines
        self._groups.clear()
        self._held_bytes = 0


def split_segment(name: str, data: bytes) -> tuple[Header, list[bytes]]:
    """The header and the frame lines of a segment, once the number of lines is what the header says.

    Raises:
        Retryable: It was cut short.
        Poison: It is no segment, or one of another version.
    """
    head, newline, body = data.partition(b"\n")
    if not newline:
        raise Retryable(f"segment {name} was cut short in its header")
    header = _decode_header(name, head)
    lines = body.split(b"\n")
    whole = lines.pop() == b""
    expected = header.frames + header.dead_letters
    if not whole or len(lines) < expected:
        raise Retryable(f"segment {name} was cut short: {len(lines)} lines of {expected}")
    if len(lines) > expected:
        raise Poison(f"segment {name} has {len(lines)} lines where its header says {expected}")
    return header, lines[: header.frames]


def checked_frame(line: bytes, header: Header) -> Frame:
    """The frame in `line`, if it is one that its segment's header announces.

    A frame's source and time must be those in its image path: only then do all lines of one frame meet in one
    group, where it is counted once. And they must be within what the header says, as days are planned by it.

    Raises:
        BadLine: It is not.
    """
    if b"\t" in line or b"\r" in line:  # JSON allows them, engines cut lines there
        raise BadLine("it holds a TAB or a carriage return")
    frame = decode_frame(line)
    source, time_ms = frame.source, frame.captured_at_ms
    if frame.model != header.model:
        raise BadLine(f"it is of model {frame.model}, its segment of {header.model}")
    first_ms, last_ms = header.times.get(source, (0, -1))
    if not first_ms <= time_ms <= last_ms:
        raise BadLine(f"the header knows nothing of source {source} at {time_ms} ms")
    path = frame.image_path
    if not path.startswith(f"images/{source}/") or f"/{time_ms}-" not in path:
        raise BadLine(f"image_path {path} is of another source or time")
    return frame


def to_json(value: object) -> bytes:
    """JSON as `frametally.records.encode` writes it: no white space, text as UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _read(url: str, name: str) -> bytes:
    if not url.startswith(("file://", "http://", "https://", "data:")):
        raise Poison(f"segment {name}: its address begins neither with file:// nor with http(s)://")
    try:
        with urllib.request.urlopen(url, timeout=_READ_TIMEOUT_S) as response:  # noqa: S310
            return response.read()  # type: ignore[no-any-return]
    except (http.client.HTTPException, OSError) as error:  # urllib's own errors are OSErrors
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        reason = str(error)
        if query := url.partition("?")[2]:  # the signature of a presigned address is a secret
            reason = reason.replace(query, "...")
        raise Retryable(f"segment {name} cannot be read: {reason}") from None


def _decode_header(name: str, head: bytes) -> Header:
    try:
        fields: dict[str, Any] = json.loads(head)
        version = fields.get("v", RECORD_VERSION)
        if version != RECORD_VERSION:
            raise Poison(
                f"segment {name} is of version {version}; this frametally reads version {RECORD_VERSION}"
            )
        return Header(
            model=fields["model"],
            frames=int(fields["frames"]),
            dead_letters=int(fields["dead_letters"]),
            times={
                source["source"]: (int(source["first_captured_at_ms"]), int(source["last_captured_at_ms"]))
                for source in fields["sources"]
            },
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Poison(f"segment {name}: its first line is no segment header ({error!r})") from error
