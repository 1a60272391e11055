"""The books: per source, expected = announced = detected + dead-lettered, and detected = counted = indexed.

All figures are distinct frames, read from the store, the log and the count index as they are now.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import NamedTuple

from frametally import keys
from frametally.count_index import CountIndex
from frametally.errors import Misconfigured, Poison
from frametally.frame_log import FrameLog, consumer_group
from frametally.media import list_manifests, sources_timed_by_file
from frametally.object_store import ObjectStore
from frametally.records import FrameDetections, Run, SegmentHeader, decode
from frametally.runs import current_runs, read_run
from frametally.segments import CutShort, list_segments, read_segment
from frametally.settings import Settings

SETTLED, BEHIND, BROKEN = 0, 4, 3
_DAY_S = 86_400


class SourceBooks(NamedTuple):
    """One source's line of the books, in distinct frames, and what its event time rests on."""

    source: str
    source_name: str
    expected: int
    announced: int
    detected: int
    dead_lettered: int
    counted: int
    indexed: int
    producing: bool
    file_time: bool


class Status(NamedTuple):
    """The books of one model.

    Attributes:
        model: Whose segments, counts and index entries are compared; None while there are none.
        sources: One line per source, by slug.
        log_messages: Messages announced on the log so far (repeats included).
        log_committed: Those that the model's group has committed.
        unidentified_dead_letters: Messages set aside that do not tell which frame they meant.
        behind: What has still to be done, one line each.
        broken: What can never come right by itself, one line each.
    """

    model: str | None
    sources: list[SourceBooks]
    log_messages: int
    log_committed: int
    unidentified_dead_letters: int
    behind: list[str]
    broken: list[str]

    @property
    def exit_code(self) -> int:
        """0 settled, 4 behind, 3 broken."""
        if self.broken:
            return BROKEN
        return BEHIND if self.behind else SETTLED


class _Detected(NamedTuple):
    frames: dict[str, set[str]]
    dead_lettered: dict[str, set[str]]
    unidentified: int
    headers: list[SegmentHeader]
    broken: list[str]


def read_status(
    *, settings: Settings, store: ObjectStore, log: FrameLog, index: CountIndex, model: str | None = None
) -> Status:
    """The books of `model`, by default the one published last, or the only one that has segments.

    Raises:
        Poison: A manifest or a run that does not parse; the message names it.
    """
    manifests = list_manifests(store)
    runs = current_runs(store)
    model = model or _default_model(store, index, runs)
    detected = _read_segments(store, model)
    run_group = _runs_to_compare(runs, model, settings)
    counted: Counter[str] = Counter()
    for run in run_group:
        for coverage in read_run(store, run)[1]:
            counted[coverage.source] += coverage.frames
    names = {manifest.source: manifest.source_name for manifest in manifests}
    by_file_date = sources_timed_by_file(manifests)
    interval_s = run_group[0].interval_s if run_group else None
    sources = []
    for source in sorted({*names, *detected.frames, *detected.dead_lettered, *counted}):
        of_source = [manifest for manifest in manifests if manifest.source == source]
        sources.append(
            SourceBooks(
                source=source,
                source_name=names.get(source, source),
                expected=sum(manifest.frames_expected for manifest in of_source),
                announced=sum(manifest.frames_announced for manifest in of_source),
                detected=len(detected.frames[source]),
                dead_lettered=len(detected.dead_lettered[source] - detected.frames[source]),
                counted=counted[source],
                indexed=_indexed(index, model, interval_s, source),
                producing=any(manifest.state == "producing" for manifest in of_source),
                file_time=source in by_file_date,
            )
        )
    log_messages, log_committed = _log_position(log, settings.topic, model)
    behind, broken = _judge(sources, drained=log_committed >= log_messages)
    if log_committed < log_messages:
        behind.insert(
            0, f"the log: {log_messages - log_committed} messages to detect; run `frametally consume`"
        )
    return Status(
        model,
        sources,
        log_messages,
        log_committed,
        detected.unidentified,
        behind,
        detected.broken + _chain_gaps(detected.headers) + broken,
    )


def _default_model(store: ObjectStore, index: CountIndex, runs: list[Run]) -> str | None:
    series = index.series()
    if series:
        return series[0].model
    if runs:
        return runs[-1].model
    models = sorted({key.split("/")[1].removeprefix("model=") for key in list_segments(store)})
    return models[-1] if models else None


def _read_segments(store: ObjectStore, model: str | None) -> _Detected:
    result = _Detected(defaultdict(set), defaultdict(set), 0, [], [])
    unidentified = 0
    for key in list_segments(store):
        if not key.startswith(f"{keys.METADATA}/model={model}/"):
            continue
        try:
            segment = read_segment(store, key)
        except (Poison, CutShort) as error:
            result.broken.append(str(error))
            continue
        result.headers.append(segment.header)
        for line_number, line in enumerate(segment.frame_lines, start=2):
            try:
                frame = decode(line, FrameDetections)
            except Poison as error:
                result.broken.append(f"segment {key}, line {line_number}: {error}")
                continue
            result.frames[frame.source].add(frame.image_path)
        for letter in segment.dead_letters():
            if letter.source and letter.image_path:
                result.dead_lettered[letter.source].add(letter.image_path)
            else:
                unidentified += 1
    return result._replace(unidentified=unidentified)


def _runs_to_compare(runs: list[Run], model: str | None, settings: Settings) -> list[Run]:
    """The runs of one interval and one set of counting settings: the asked one, or that with most frames."""
    groups: dict[tuple[bool, int, str], list[Run]] = defaultdict(list)
    for run in runs:
        if run.model == model:
            groups[run.interval_s == settings.interval_s, run.interval_s, run.params].append(run)
    if not groups:
        return []
    return max(groups.items(), key=lambda item: (item[0][0], sum(run.frames for run in item[1])))[1]


def _indexed(index: CountIndex, model: str | None, interval_s: int | None, source: str) -> int:
    if model is None or interval_s is None:
        return 0
    histogram = index.histogram(
        model=model, base_interval_s=interval_s, interval_s=_DAY_S, sources=[source], labels=None
    )
    return sum(bucket.frames for bucket in histogram.coverage)


def _log_position(log: FrameLog, topic: str, model: str | None) -> tuple[int, int]:
    try:
        ends = log.end_offsets(topic)
    except Misconfigured:  # nothing was ever announced
        return 0, 0
    committed = log.committed(topic, consumer_group(model)) if model else {}
    return sum(ends.values()), sum(min(committed.get(p, 0), end) for p, end in ends.items())


def _chain_gaps(headers: list[SegmentHeader]) -> list[str]:
    chains: dict[tuple[str, str, int], list[SegmentHeader]] = defaultdict(list)
    for header in headers:
        chains[header.log_id, header.topic, header.partition].append(header)
    problems = []
    for (log_id, topic, partition), chain in sorted(chains.items()):
        for before, after in pairwise(sorted(chain, key=lambda header: header.first_offset)):
            if before.next_offset != after.first_offset:
                what = "gap" if before.next_offset < after.first_offset else "overlap"
                problems.append(
                    f"{what} in the chain of {topic}-{partition} (log {log_id}): a segment ends at "
                    f"{before.next_offset}, the next begins at {after.first_offset}"
                )
    return problems


def _judge(sources: list[SourceBooks], *, drained: bool) -> tuple[list[str], list[str]]:
    """What is behind and what is broken in the sources' lines."""
    behind, broken = [], []
    for books in sources:
        handled = books.detected + books.dead_lettered
        if books.producing or books.announced < books.expected:
            behind.append(
                f"{books.source}: {max(books.expected - books.announced, 0)} frames to announce; "
                "run `frametally produce` on its files again"
            )
        elif handled > books.announced or books.announced > books.expected:
            broken.append(
                f"{books.source}: expected {books.expected}, announced {books.announced}, but detected and "
                f"dead-lettered {handled}: frames that no medium accounts for"
            )
        elif handled < books.announced and drained:
            broken.append(
                f"{books.source}: {books.announced - handled} announced frames are in no segment though the "
                "log is drained"
            )
        if books.counted < books.detected:
            behind.append(
                f"{books.source}: {books.detected - books.counted} frames to count; "
                "run `frametally aggregate`"
            )
        elif books.counted > books.detected:
            broken.append(f"{books.source}: {books.counted} frames counted, only {books.detected} detected")
        if books.indexed < books.counted:
            behind.append(
                f"{books.source}: {books.counted - books.indexed} frames to index; run `frametally index`"
            )
        elif books.indexed > books.counted:
            broken.append(f"{books.source}: {books.indexed} frames indexed, only {books.counted} counted")
    return behind, broken
