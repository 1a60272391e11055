"""Stores the time zone of each source, in which pages and reports show its times.

Zones do not affect any number: event times are UTC, and nothing is counted again when a zone changes. So one
small object of the store has the zones of all sources.
"""

from __future__ import annotations

import logging
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

import msgspec

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.files.names import as_text
from frametally.media.manifests import find_record
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest, SealedRecord, decode_at, encode
from frametally.rules.times import known_timezone, local_time

_log = logging.getLogger(__name__)


class SourceTimezones(SealedRecord, frozen=True, kw_only=True):
    """The time zones of all sources (`sources/timezones.json`).

    Attributes:
        timezones: IANA name of each source's zone, by slug; sources without a zone are left out.
    """

    timezones: dict[str, str] = msgspec.field(default_factory=dict)

    remedy: ClassVar[str] = "restore it from a backup, or delete it and set the time zones again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.TIMEZONES


class TimezoneChange(NamedTuple):
    """A planned change of a source's time zone.

    Attributes:
        source: Slug of the source.
        name: The source as its owner wrote it.
        timezone: IANA name of the new zone, or empty to remove it.
        lines: The effects, one sentence each; empty if there are none.
    """

    source: str
    name: str
    timezone: str
    lines: list[str]


def read_timezones(store: ObjectStore) -> dict[str, str]:
    """Return the IANA name of each source's time zone, by slug. Raises `Poison` if they are damaged."""
    record = find_record(store, keys.TIMEZONES, SourceTimezones)
    return record.timezones if record else {}


def readable_timezones(store: ObjectStore) -> dict[str, str]:
    """Return the same for display only: log a warning and return no zones if they are damaged."""
    try:
        return read_timezones(store)
    except Poison as error:
        _log.warning("%s", error)
        return {}


def shared_timezone(timezones: Mapping[str, str], sources: Iterable[str]) -> str | None:
    """Return the common time zone of some sources (slugs), or None if there is none."""
    names = {timezones.get(source) for source in sources}
    return names.pop() if len(names) == 1 else None


def plan_timezone(store: ObjectStore, media: Sequence[MediaManifest], timezone: str) -> TimezoneChange:
    """Return the change that makes `timezone` the time zone of a source.

    Args:
        store: The store with the time zones.
        media: All footage of the source.
        timezone: IANA name, or empty for no zone.

    Raises:
        Misconfigured: There is no such zone.
        Poison: The stored zones are damaged.
    """
    slug, name = media[0].source, media[0].source_name
    try:
        after = known_timezone(timezone) if timezone else ""
    except ValueError as error:
        raise Misconfigured(
            f"{timezone[:80]!r} is not an IANA time zone", "write it like Europe/Berlin"
        ) from error
    before = read_timezones(store).get(slug, "")
    return TimezoneChange(slug, name, after, [] if after == before else _lines(name, before, after, media))


def set_timezone(store: ObjectStore, change: TimezoneChange) -> None:
    """Make a planned change. Raises `Poison` if the stored zones are damaged, and `Retryable`."""

    def put(timezones: dict[str, str]) -> None:
        timezones.pop(change.source, None)
        if change.timezone:
            timezones[change.source] = change.timezone

    _change(store, put)


def move_timezone(store: ObjectStore, former: str, source: str, *, is_new: bool) -> None:
    """Remove the time zone of the source `former`, and give it to `source` if that is new.

    Raises as `set_timezone`.
    """
    if former not in read_timezones(store):
        return

    def move(timezones: dict[str, str]) -> None:
        timezone = timezones.pop(former, None)
        if is_new and timezone:
            timezones[source] = timezone

    _change(store, move)


def _change(store: ObjectStore, change: Callable[[dict[str, str]], None]) -> None:
    def make(data: bytes | None) -> bytes | None:
        timezones = {} if data is None else decode_at(keys.TIMEZONES, data, SourceTimezones).timezones
        change(timezones)
        return encode(SourceTimezones(timezones=dict(sorted(timezones.items()))))

    store.change(keys.TIMEZONES, make)


def _lines(name: str, before: str, after: str, media: Sequence[MediaManifest]) -> list[str]:
    viewers_zone = "each viewer's own time zone"
    subject = f"Pages and reports will show times of {as_text(name)}"
    lines = [f"{subject} in {after or viewers_zone}, not in {before or viewers_zone}."]
    times = [manifest.first_captured_at_ms for manifest in media if manifest.first_captured_at_ms is not None]
    if times:
        time_before, time_after = (_clock(min(times), zone or "UTC") for zone in (before, after))
        lines.append(f"Its first frame: {time_before} becomes {time_after}.")
    return [*lines, "Days and weeks in its charts will begin by these clocks. No stored count changes."]


def _clock(time_ms: int, timezone: str) -> str:
    return local_time(time_ms, zoneinfo.ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M:%S %Z")
