"""Writes a receipt: what became of every file of a run, and what has changed since the earlier receipt."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from frametally.errors import Misconfigured
from frametally.files.csv_table import write_csv_file
from frametally.files.names import as_text
from frametally.files.replacing import replace_file
from frametally.media.manifests import forgotten_by, media_of
from frametally.media.overlapping import frames_within, overlaps_of, overlaps_to_mend, superseded_versions
from frametally.process.reports import Skipped, plural
from frametally.records import NOT_JSON, MediaManifest
from frametally.rules.overlaps import Overlap, OverlapWinner
from frametally.undo_records import Tombstone
from frametally_producer.reading.footage import Footage, VideoToProduce

FileState = Literal["counted", "known", "part", "skipped", "passed over", "superseded", "not reached"]
"""What became of a file: its frames were announced by this run (`counted`) or an earlier one (`known`), only
some of them count (`part`), none could be read (`skipped`), it does not end like footage (`passed over`),
a later version or a video covers its time (`superseded`), or the run stopped before it (`not reached`)."""

_ENDING = "its name does not end like a picture or video"
_ENDINGS = (".csv", ".json")


class ReceiptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One file in a receipt.

    Attributes:
        size_bytes: Its size, or None if it is an earlier version, or gone.
        source: Name of its source, or empty if it has no frames.
        frames: How many of its frames were announced, or None if none were.
        medium: Identity of its manifest in the store, or empty.
        reason: Why not all of it counts, or empty.
    """

    path: str
    size_bytes: int | None
    state: FileState
    source: str = ""
    frames: int | None = None
    medium: str = ""
    reason: str = ""


class FileRecord(NamedTuple):
    """What a run did with a file: whether it announced frames now, the medium, and a picture's time in ms."""

    is_new: bool
    medium: str
    captured_at_ms: int | None = None


def receipt_rows(
    footage: Footage,
    records: Mapping[Path, FileRecord],
    skipped: Sequence[Skipped],
    manifests: Sequence[MediaManifest],
    tombstones: Sequence[Tombstone],
    wins: OverlapWinner,
) -> list[ReceiptRow]:
    """Return a row for every file of `footage`, and for every earlier version of its videos, by path."""
    reasons = {item.name: item.reason for item in skipped}
    by_identity = {manifest.sha256: manifest for manifest in manifests}
    doubts = _Doubts(manifests, tombstones, wins)
    rows = [
        ReceiptRow(path=as_text(path), size_bytes=size_bytes, state="passed over", reason=_ENDING)
        for path, size_bytes in footage.passed_over.items()
    ]
    paths = {path: isinstance(medium, VideoToProduce) for medium in footage.media for path in medium.paths}
    for path in paths:
        reason = reasons.get(str(path)) or reasons.get(as_text(path), "")
        record = records.get(path)
        manifest = by_identity.get(record.medium) if record else None
        row = ReceiptRow(path=as_text(path), size_bytes=_size(path), state="not reached", reason=reason)
        if record is not None and manifest is not None:
            state, doubt = doubts.about(manifest, record.captured_at_ms)
            row = msgspec.structs.replace(
                row,
                state=state or ("part" if reason else "counted" if record.is_new else "known"),
                source=manifest.source_name,
                frames=manifest.frames_announced if record.captured_at_ms is None else 1,
                medium=manifest.sha256,
                reason=reason or doubt,
            )
        elif reason:
            row = msgspec.structs.replace(row, state="skipped")
        rows.append(row)
    listed = {as_text(path) for path in paths}
    rows += [
        ReceiptRow(path=as_text(name), size_bytes=_size(Path(name)), state="skipped", reason=reason)
        for name, reason in footage.skipped
        if name not in listed
    ]
    media = {row.medium for row in rows}
    for manifest in manifests:
        if manifest.kind == "video" and manifest.name in listed and manifest.sha256 not in media:
            state, doubt = doubts.about(manifest, None)
            rows.append(
                ReceiptRow(
                    path=manifest.name,
                    size_bytes=None,
                    state=state or "known",
                    source=manifest.source_name,
                    frames=manifest.frames_announced,
                    medium=manifest.sha256,
                    reason=doubt or "an earlier version of this file, or another track",
                )
            )
    return sorted(rows, key=lambda row: (row.path, row.medium))


class _Doubts:
    """Finds why not all frames of a medium count."""

    def __init__(
        self, manifests: Sequence[MediaManifest], tombstones: Sequence[Tombstone], wins: OverlapWinner
    ) -> None:
        overlaps = overlaps_of(manifests, tombstones, wins)
        self._forgotten = forgotten_by(tombstones)
        self._losses: dict[str, list[Overlap]] = defaultdict(list)
        for overlap in overlaps:
            self._losses[overlap.loser].append(overlap)
        self._names = {media_of(manifest): manifest.name for manifest in manifests}
        self._mended = {(overlap.loser, overlap.winner) for overlap in overlaps_to_mend(overlaps, manifests)}
        self._forerunners = {
            versions.forerunner.sha256 for versions in superseded_versions(overlaps, manifests)
        }

    def about(self, manifest: MediaManifest, captured_at_ms: int | None) -> tuple[FileState | None, str]:
        """Return the state and the reason of a video, or of a picture with a time; None if all counts."""
        media = media_of(manifest)
        losses = self._losses.get(media, [])
        if captured_at_ms is not None:
            if any(overlap.from_ms <= captured_at_ms < overlap.to_ms for overlap in losses):
                return "superseded", "a video of its source covers its moment"
            return None, ""
        if manifest.sha256 in self._forerunners:
            return "superseded", "an earlier version of this file; the later one covers its time"
        if self._forgotten.get(media):
            return "part", "a part of it was forgotten"
        losses = [overlap for overlap in losses if (overlap.loser, overlap.winner) in self._mended]
        if not losses:
            return None, ""
        frames = plural(frames_within(manifest, losses), "frame")
        winners = ", ".join(sorted({self._names.get(overlap.winner, overlap.winner) for overlap in losses}))
        return "part", f"about {frames} do not count, because {winners} of its source covers that time"


def _size(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_size
    return None


class ReceiptFile:
    """The file of a receipt."""

    def __init__(self, path: Path) -> None:
        """Read the earlier receipt, if there is one.

        Raises `Misconfigured` if the file is something else, or its name does not end with .csv or .json.
        """
        self.path = path
        if path.suffix.lower() not in _ENDINGS:
            endings = " or ".join(_ENDINGS)
            raise Misconfigured(f"--receipt {path} does not end with {endings}", "choose such a name")
        if not path.parent.is_dir():
            raise Misconfigured(
                f"the folder of --receipt {path} does not exist", "choose another, or make it"
            )
        self._earlier: list[ReceiptRow] | None = None
        if path.exists():
            try:
                self._earlier = self._parse(path.read_bytes())
            except (OSError, ValueError, *NOT_JSON) as error:
                detail = f"--receipt {path} exists and is not a receipt of `frametally produce`"
                raise Misconfigured(detail, "choose another name") from error

    def write(self, rows: Sequence[ReceiptRow]) -> list[str]:
        """Write the rows, in one step for readers; return lines for people: numbers, and changes.

        A file that an earlier run kept in part, and that has not changed, stays in part.
        """
        earlier = {_key(row): row for row in self._earlier or ()}
        rows = [_carried(row, earlier.get(_key(row))) for row in rows]
        data = self._render(rows)
        replace_file(self.path, data)
        states = Counter(row.state for row in rows)
        numbers = ", ".join(f"{states[state]} {state}" for state in states)
        lines = [f"{self.path}: {plural(len(rows), 'file')}{': ' if rows else ''}{numbers}"]
        if self._earlier is not None:
            lines.append(_differences(earlier, {_key(row): row for row in self._parse(data)}))
        return lines

    @property
    def _is_csv(self) -> bool:
        return self.path.suffix.lower() == ".csv"

    def _render(self, rows: Sequence[ReceiptRow]) -> bytes:
        if not self._is_csv:
            return b"[\n" + b",\n".join(msgspec.json.encode(row) for row in rows) + b"\n]\n"
        file = io.BytesIO()
        write_csv_file(file, ReceiptRow.__struct_fields__, (msgspec.structs.astuple(row) for row in rows))
        return file.getvalue()

    def _parse(self, data: bytes) -> list[ReceiptRow]:
        if not self._is_csv:
            return msgspec.json.decode(data, type=list[ReceiptRow])
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        if tuple(reader.fieldnames or ()) != ReceiptRow.__struct_fields__:
            raise ValueError("other columns")
        table = [row | {name: row[name] or None for name in ("size_bytes", "frames")} for row in reader]
        return msgspec.convert(table, list[ReceiptRow], strict=False)


def _key(row: ReceiptRow) -> tuple[str, str]:
    """Return what identifies a row in two receipts: a file may have several versions or tracks."""
    return row.path, row.medium if row.size_bytes is None else ""


def _compared(row: ReceiptRow) -> tuple[int | None, str, str]:
    """Return what makes a row another one: a file that was counted is known to the next run."""
    return row.size_bytes, row.medium, "counted" if row.state == "known" else row.state


def _carried(row: ReceiptRow, earlier: ReceiptRow | None) -> ReceiptRow:
    if earlier is None or row.state != "known" or earlier.state != "part" or row.medium != earlier.medium:
        return row
    is_damaged = earlier.reason.startswith("in part")
    return msgspec.structs.replace(row, state="part", reason=earlier.reason) if is_damaged else row


def _differences(
    earlier: Mapping[tuple[str, str], ReceiptRow], now: Mapping[tuple[str, str], ReceiptRow]
) -> str:
    """Return a line about the differences between two receipts."""
    changes = [
        f"{row.path} ({before.state}, now {row.state})"
        for key, row in now.items()
        if (before := earlier.get(key)) and _compared(before) != _compared(row)
    ]
    parts = [
        f"{plural(len(paths), 'file')} {word}, such as {paths[0]}"
        for word, paths in (
            ("added", [row.path for key, row in now.items() if key not in earlier]),
            ("removed", [row.path for key, row in earlier.items() if key not in now]),
            ("changed", changes),
        )
        if paths
    ]
    return f"since the earlier receipt: {'; '.join(parts) or 'nothing has changed'}"
