"""Records of why a day's number changed, from its first run to the current one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Literal

import msgspec

from frametally import keys
from frametally.records import Run, SealedRecord
from frametally.rules.places import ZONES, ZoneParts, series_model, source_of
from frametally.rules.seals import name_of

ReasonKind = Literal[
    "first",
    "earlier",
    "lost",
    "footage",
    "forget",
    "retime",
    "rename-source",
    "overlap",
    "settings",
    "upgrade",
    "stored",
]
"""Why a run counted a day again.

- `first`: the day had no run.
- `earlier`: one or more runs whose reasons are not known.
- `lost`: neither the history nor the parts of the run before are there.
- `footage`: segments with frames arrived.
- `stored`: none of the others: only the stored detections differ, or nothing does.
"""

Differences = Mapping[str, Mapping[str, Mapping[int, int]]]
"""By source, label ("" for the frames analysed) and hour of the UTC day: how much more there is."""


class HistoryReason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reason.

    Attributes:
        source: The source whose footage was deleted, moved or overlapped; empty if all sources are affected.
        media: `keys.media_id` of that medium.
        name: Its name.
        from_ms: Event time at which the footage begins; None means its first frame.
        to_ms: Event time at which the footage ends, exclusive; None means its last frame.
        setting: Name of the setting that changed.
        before: Its value before, or the version.
        after: Its value now, or the version.
    """

    kind: ReasonKind
    source: str = ""
    media: str = ""
    name: str = ""
    from_ms: int | None = None
    to_ms: int | None = None
    setting: str = ""
    before: str = ""
    after: str = ""


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The change by one run, or by several runs in a row with the same reason.

    Attributes:
        sequence: Number of the run; of several runs, the last.
        runs: How many they are.
        counted_at_ms: When it was published, by the store's clock; 0 while it is the current run.
        version: Version of frametally that counted.
        params: As in `Run`.
        differences: How its counts differ from the run before, without unchanged hours and labels.
        segments: Keys of the first segments that arrived.
    """

    sequence: int
    run_id: str
    runs: int = 1
    counted_at_ms: int = 0
    version: str = ""
    params: str
    reasons: list[HistoryReason]
    differences: dict[str, dict[str, dict[int, int]]] = {}
    segments: list[str] = []


class RunHistory(SealedRecord, frozen=True, kw_only=True):
    """The history of a day up to one of its runs: the second line of the run's `_hours.json`.

    It has times of the store's clock, so its bytes are in no checksum of the run.

    Attributes:
        entries: The first run first; their differences add up to what the run counted.
        segments_to: By log, topic and partition: the first offset of the last segment that was counted.
        overlaps_crc32: Checksum of each range of a medium that does not count because another covers it.
    """

    run_id: str
    model: str
    params: str
    interval_s: int
    day: str
    entries: list[HistoryEntry]
    segments_to: dict[str, int]
    overlaps_crc32: list[int] = msgspec.field(default_factory=list)

    remedy: ClassVar[str] = "run `frametally aggregate --all` for its day, whose history then begins again"

    @property
    def key(self) -> str:  # noqa: D102
        return hours_key(keys.run_folder(self.model, self.params, self.interval_s, self.day, self.run_id))


class HourFile(msgspec.Struct, frozen=True, array_like=True):
    """A file of all that was counted of one source's UTC hour (`rules.hour_file`).

    Attributes:
        identity: 16 hex of settings, segments with their checksums, and footage that does not count. Where a
            line was set aside, or segments have no checksums, 16 hex of the file itself: no plan asks for it.
        crc32: Checksum of its bytes; None if nothing of that hour was counted, so that there is no file.
        duplicates_dropped: Lines that repeated a frame.
    """

    identity: str
    crc32: int | None
    duplicates_dropped: int = 0


class HourList(SealedRecord, frozen=True, kw_only=True):
    """The hour files of a run: the first line of `_hours.json` in its folder.

    Attributes:
        hours: By source, and by `within_zones` of a source, and the hour of the UTC day at which the file's
            time begins.
    """

    run_id: str
    model: str
    params: str
    interval_s: int
    day: str
    hours: dict[str, dict[int, HourFile]]

    remedy: ClassVar[str] = "run `frametally aggregate --all` for its day"

    @property
    def key(self) -> str:  # noqa: D102
        return hours_key(keys.run_folder(self.model, self.params, self.interval_s, self.day, self.run_id))

    def file_key(self, source: str, hour: int) -> str:
        """Return the key of one of its files."""
        return hour_file_key(self.model, self.day, source, hour, self.hours[source][hour].identity)

    def files(self, source: str) -> dict[int, HourFile]:
        """Return the files that there are of a source, by hour."""
        return {hour: file for hour, file in self.hours[source].items() if file.crc32 is not None}

    def digests(self, *, of_zones: bool = False) -> dict[str, str]:
        """Return 16 hex of the files of each source that has some, of its whole pictures or of its zones."""
        return {name: name_of(msgspec.json.encode(files)) for name, files in self._by_source(of_zones)}

    def names(self, *, of_zones: bool = False) -> dict[tuple[str, int], str]:
        """Return the names of the hours' files, by their source in the list and hour."""
        return {
            (name, hour): file.identity
            for name, files in self._by_source(of_zones)
            for hour, file in files.items()
        }

    def _by_source(self, of_zones: bool) -> Iterator[tuple[str, dict[int, HourFile]]]:
        for name in self.hours:
            if (name != source_of(name)) == of_zones and (files := self.files(name)):
                yield name, files


def hours_key(prefix: str) -> str:
    """Return the key of the list of hour files of the run whose part files are in `prefix`."""
    return f"{prefix}/_hours.json"


def list_in(data: bytes) -> bytes:
    """Return the `HourList` in the bytes of `_hours.json`."""
    return data.partition(b"\n")[0]


def history_in(data: bytes) -> bytes:
    """Return the `RunHistory` in the bytes of `_hours.json`."""
    return data.partition(b"\n")[2]


def hour_file_key(model: str, day: str, source: str, hour: int, identity: str) -> str:
    """Return the key of an hour file; `hour` is that of the UTC day at which its time begins."""
    return f"{keys.hours_folder(model, day)}/source={source}/{hour:02d}-{identity}.jsonl"


def with_zones(runs: Iterable[Run]) -> list[Run]:
    """Return the runs of current pointers, and what they counted within zones as runs of that series."""
    of_models = [*runs]
    return of_models + [_zone_run(run, run.zone_parts) for run in of_models if run.zone_parts is not None]


def _zone_run(run: Run, parts: ZoneParts) -> Run:
    return msgspec.structs.replace(
        run,
        model=series_model(run.model, ZONES),
        parts=[*parts.names],
        parts_crc32=[*parts.crc32],
        frames=parts.frames,
        duplicates_dropped=parts.duplicates_dropped,
        hours=dict(parts.hours),
        footage_sha256=parts.footage_sha256,
    )
