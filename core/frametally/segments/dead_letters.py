"""Lists, replays and drops dead letters: frames that consumers could not analyse.

A segment keeps a dead letter for good. It is settled when its frame is detected later, or when a person drops
it (an object under `dead-letters/dropped/`). Once the cause is fixed, announcing its message again is enough:
a frame's detections take precedence over its dead letter, and each frame counts once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from frametally import keys
from frametally.errors import Misconfigured
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress, Skipped
from frametally.records import Cause, DeadLetter, FrameAnnouncement, FrameDetections, Stage, decode, encode
from frametally.segment_records import SegmentHeader
from frametally.segments.chain import models_with_segments
from frametally.segments.contents import list_segments, read_header, read_segment, read_source
from frametally.undo_records import DroppedDeadLetter

if TYPE_CHECKING:
    from frametally.segments.stored_frame import BadFrame  # imports OpenCV, which `status` does not need

State = Literal["waiting", "detected", "dropped"]

REASONS: dict[str, str] = {
    "malformed": "the message does not announce a frame",
    "missing": "the store does not have this frame",
    "checksum": "its bytes differ from those announced",
    "size": "the picture does not have the announced size",
    "oversized": "the picture has more pixels than frametally may decode",
    "undecodable": "the picture cannot be decoded",
}
"""Why a frame could not be analysed, in words, by cause."""

_PUT_BACK = "restore the picture and try again, or `frametally forget` its footage and produce it again"
_STORED_SO = "the picture was already faulty when it was stored: correct the program that made it"

REMEDIES: dict[str, str] = {
    "malformed": "frametally cannot announce it again: correct the program that wrote the message",
    "missing": _PUT_BACK,
    "checksum": _PUT_BACK,
    "size": _STORED_SO,
    "oversized": "allow the consumers to decode pictures of this size",
    "undecodable": _STORED_SO,
}
"""How to fix each cause; drop a dead letter that cannot be fixed."""

_CAUSE_OF_STAGE: dict[Stage, Cause] = {
    "parse": "malformed",
    "fetch": "missing",
    "verify": "checksum",
    "decode": "undecodable",
}


class Entry(NamedTuple):
    """A dead letter, the key and the header of its segment, and its state.

    Attributes:
        id: 12 hex digits that never change.
        state: `waiting` for its cause to be fixed, `detected` later, or `dropped` by a person.
    """

    id: str
    segment: str
    header: SegmentHeader
    letter: DeadLetter
    state: State

    @property
    def cause(self) -> Cause:
        """The cause, as a word."""
        return cause_of(self.letter)


class Replayed(NamedTuple):
    """The result of a replay: dead letters whose messages were announced again, and the skipped ones."""

    announced: list[Entry]
    skipped: list[Skipped]


def as_dead_letter(
    *, offset: int, message: bytes, frame: FrameAnnouncement | None, error: BadFrame
) -> DeadLetter:
    """Return the dead letter of a message; `frame` is the announced frame, if any."""
    return DeadLetter(
        offset=offset,
        message=message,
        source=frame.source if frame else None,
        image_path=frame.image_path if frame else None,
        stage=error.stage,
        cause=error.cause,
        reason=str(error),
    )


def cause_of(letter: DeadLetter) -> Cause:
    """Return the cause of a dead letter, even if it only has the stage."""
    return letter.cause or _CAUSE_OF_STAGE[letter.stage]


def mending_command(letter_id: str, cause: str) -> str:
    """Return the command that settles a dead letter once its cause is fixed."""
    return f"frametally dead-letters {'drop' if cause == 'malformed' else 'replay'} {letter_id}"


def list_dead_letters(store: ObjectStore, *, model: str | None = None) -> list[Entry]:
    """Return all dead letters, of one model or of all, by segment and offset.

    This reads the headers of all segments, and the lines of relevant ones.

    Raises:
        Misconfigured: `model` has detected nothing here.
        Poison: A segment does not parse; the message names it.
        CutShort: A segment is incomplete.
    """
    if model is not None and model not in (models := models_with_segments(store)):
        raise Misconfigured(
            f"model {model!r} has detected nothing here; models: {', '.join(models) or 'none'}"
        )
    dropped = {info.key for info in store.list(keys.DROPPED)}
    entries: list[Entry] = []
    headers: list[tuple[str, SegmentHeader, int]] = []
    for key in list_segments(store):
        if model is not None and not key.startswith(f"{keys.METADATA}/model={model}/"):
            continue
        header, body_start = read_header(store, key)
        headers.append((key, header, body_start))
        if header.dead_letters:
            segment = read_segment(store, key)
            for letter in segment.dead_letters():
                letter_id = keys.dead_letter_id(key, letter.offset)
                state: State = "dropped" if keys.dropped_key(letter_id) in dropped else "waiting"
                entries.append(Entry(letter_id, key, header, letter, state))
    detected = _detected(store, headers, entries)
    return [
        entry._replace(state="detected")
        if entry.state == "waiting" and (entry.header.model, entry.letter.image_path) in detected
        else entry
        for entry in entries
    ]


def _detected(
    store: ObjectStore, headers: Sequence[tuple[str, SegmentHeader, int]], entries: Iterable[Entry]
) -> set[tuple[str, str | None]]:
    """Return the model and `image_path` of the entries whose frames have detections."""
    paths_by_source: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in entries:
        if entry.letter.source and entry.letter.image_path:
            paths_by_source[entry.header.model, entry.letter.source].add(entry.letter.image_path)
    detected: set[tuple[str, str | None]] = set()
    for key, header, body_start in headers:
        for part in header.sources:
            paths = paths_by_source.get((header.model, part.source))
            if not paths:
                continue
            for line in read_source(store, key, body_start, part):
                # A cheap test before decoding: a line contains its path unescaped.
                if any(path.encode() in line for path in paths):
                    detected.add((header.model, decode(line, FrameDetections).image_path))
    return detected


def choose(entries: Sequence[Entry], *, ids: Collection[str] = (), cause: str | None = None) -> list[Entry]:
    """Return the `entries` with one of these ids, or beginnings of ids, and this cause; by default all.

    Raises:
        Misconfigured: An id matches no entry, or more than one.
    """
    chosen = list(entries)
    if ids:
        chosen = []
        for id_prefix in ids:
            matching = [entry for entry in entries if entry.id.startswith(id_prefix)]
            if len(matching) != 1:
                how_many = "no" if not matching else f"{len(matching)}"
                raise Misconfigured(
                    f"dead letter {id_prefix!r}: {how_many} dead letters have an ID that begins with this; "
                    "`frametally dead-letters list --all` shows them"
                )
            chosen += matching
    return [entry for entry in chosen if cause is None or entry.cause == cause]


def read_entries(store: ObjectStore, places: Iterable[tuple[str, int]]) -> list[Entry]:
    """Return the dead letters at some places (key of a segment, offset), with the state `waiting`.

    Raises:
        Poison: A segment does not parse; the message names it.
        ObjectMissing: A segment no longer exists.
    """
    offsets: dict[str, set[int]] = defaultdict(set)
    for key, offset in places:
        offsets[key].add(offset)
    entries = []
    for key, offsets_there in offsets.items():
        segment = read_segment(store, key)
        entries += [
            Entry(keys.dead_letter_id(key, letter.offset), key, segment.header, letter, "waiting")
            for letter in segment.dead_letters()
            if letter.offset in offsets_there
        ]
    return entries


def check_mended(
    entries: Iterable[Entry], *, store: ObjectStore, max_pixels: int, progress: Progress | None = None
) -> Replayed:
    """Return which of these dead letters `replay` would announce, and why others still cannot be read.

    Raises:
        Retryable: The store is unavailable.
    """
    from frametally.segments.stored_frame import BadFrame, parse_announcement, read_frame

    waiting = [entry for entry in entries if entry.state == "waiting"]
    mended: list[Entry] = []
    skipped: list[Skipped] = []
    for number, entry in enumerate(waiting):
        if progress is not None:
            progress.update(number, len(waiting), entry.id)
        name = f"dead letter {entry.id}"
        try:
            read_frame(store, parse_announcement(entry.letter.message), max_pixels=max_pixels)
        except BadFrame as error:
            if error.cause == "malformed":
                reason = (
                    f"its message is not an announcement ({error}), so {REMEDIES[error.cause]}, then run "
                    f"`{mending_command(entry.id, error.cause)}`"
                )
            else:
                reason = f"its cause has not been corrected yet: {error}; {REMEDIES[error.cause]}"
            skipped.append(Skipped(name, reason))
        else:
            mended.append(entry)
    return Replayed(mended, skipped)


def replay(
    entries: Iterable[Entry],
    *,
    store: ObjectStore,
    log: FrameLog,
    partitions: int,
    max_pixels: int,
    progress: Progress | None = None,
) -> Replayed:
    """Announce again the messages of dead letters whose cause is fixed, each on its original topic.

    Settled ones are skipped silently. A missing topic is created again with `partitions`; pictures of more
    than `max_pixels` are still rejected.

    Raises:
        Retryable: The store or the log is unavailable. Run it again, as announcing twice changes nothing.
    """
    from frametally.segments.stored_frame import parse_announcement

    checked = check_mended(entries, store=store, max_pixels=max_pixels, progress=progress)
    messages: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
    for entry in checked.announced:
        frame = parse_announcement(entry.letter.message)
        key = keys.frame_log_key(frame.source, frame.captured_at_ms)
        messages[entry.header.topic].append((key, entry.letter.message))
    for topic, of_topic in messages.items():
        log.create_topic(topic, partitions)
        log.publish(topic, of_topic)
    return checked


def drop(entries: Iterable[Entry], *, store: ObjectStore) -> int:
    """Settle these dead letters for good; return how many were not settled before."""
    count = 0
    for entry in entries:
        if entry.state == "waiting":
            record = DroppedDeadLetter(segment=entry.segment, offset=entry.letter.offset)
            store.put(record.key, encode(record), if_absent=True)
            count += 1
    return count
