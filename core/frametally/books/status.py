"""Balances the books: per source, expected = announced = detected + dead-lettered + forgotten + overlapped,
and detected = counted = indexed.

All figures are distinct frames, read from the ledger (refreshed from the store first), the log and the count
index. They exclude frames of a completely forgotten revision, whose medium's manifest is gone or of a later
revision. Frames in a forgotten range are `forgotten`; other frames that an overlapping medium replaces are
`overlapped`.
"""  # noqa: D205 - the equation is one sentence

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from frametally import keys
from frametally.books.index_lag import (
    beyond_store,
    of_earlier_rules,
    runs_before_undo,
    runs_to_count,
    runs_to_index,
    to_count_again,
)
from frametally.books.offsets import (
    PACE_SPAN_MS,
    LogPosition,
    LostMessages,
    SegmentPace,
    chain_breaks,
    consume_command,
    lost_messages,
    pace_of,
    read_logs,
)
from frametally.books.quality_reports import QualityReport, read_reports
from frametally.books.verdict import (
    BEHIND,
    BROKEN,
    SETTLED,
    SourceLine,
    StageLine,
    broken,
    find_open,
    judge,
    model_input,
    stages_behind,
    work_left,
)
from frametally.checkup.findings import SEVERITIES, Finding, Glance, Severity
from frametally.history_records import with_zones
from frametally.media.manifests import (
    by_source,
    footage_of,
    forgotten_by,
    list_records,
    media_of,
    sources_timed_by_file,
)
from frametally.media.overlapping import not_counted
from frametally.media.sources import counted_until, footage_until, source_names
from frametally.ports.count_index import SourceSummary
from frametally.ports.ledger import ChainLink, CountedRun, DeadFrame, FrameTally, Ledger
from frametally.ports.opened import Ports
from frametally.process.collection import no_collection
from frametally.process.reports import NoProgress, Progress, duration_text, plural
from frametally.records import MediaManifest, Run
from frametally.rules.blank_stretches import BLANK_WORDS
from frametally.rules.places import base_model
from frametally.rules.times import utc
from frametally.rules.tombstones import Forgotten, is_forgotten, merged
from frametally.settings.loading import Settings
from frametally.undo_records import Tombstone

_REPORTS = 3
"""Each look reads the quality reports of so many runs, since one may be damaged or restored meanwhile."""


class Status(NamedTuple):
    """The books of one model.

    Attributes:
        model: The model whose segments, counts and index entries are compared; None while there is none.
        stages: One line per stage, in processing order.
        log_messages: Messages announced so far (repeats included) on the topics that the model reads.
        log_committed: Messages that the model's group has committed or the log no longer has.
        lost: Messages that the log removed too early; empty once all announced frames are in segments.
        counted_at_ms: When the newest day of event time was last counted, by the store's clock, or None.
        dead_letters: Number of open dead letters, by cause.
        dead_letters_since_ms: When the oldest segment with one was stored, by cause, by the store's clock.
        unidentified_dead_letters: How many of them do not identify their frame.
        away: Unavailable parts (`log`, `index`) with their errors. Figures that need them are 0, and of the
            books, `findings` has only objects that are unreadable or do not fit together.
        quality: The quality reports of the newest runs, oldest day first.
        findings: What there is to know or to do, by everything that looks. The books are first: what is
            unreadable, then what is not accounted for, then the work that is left.
        model_input: How the input of a user's own network fits the footage; see `model_input`.
    """

    model: str | None
    sources: list[SourceLine]
    stages: list[StageLine]
    log_messages: int
    log_committed: int
    counted_at_ms: int | None
    pace: SegmentPace
    lost: list[LostMessages]
    dead_letters: dict[str, int]
    dead_letters_since_ms: dict[str, int]
    unidentified_dead_letters: int
    away: Mapping[str, str]
    quality: list[QualityReport]
    findings: tuple[Finding, ...] = ()
    model_input: str = ""

    @property
    def needs(self) -> list[Finding]:
        """Everything that needs a person."""
        return [finding for finding in self.findings if not finding.good]

    @property
    def broken(self) -> list[Finding]:
        """Frames that are not accounted for."""
        return self._of_grade("broken")

    @property
    def behind(self) -> list[Finding]:
        """The work that is left."""
        return self._of_grade("behind")

    @property
    def notices(self) -> list[Finding]:
        """Everything that you should know and that needs nobody."""
        return self._of_grade("notice")

    def _of_grade(self, grade: Severity) -> list[Finding]:
        return [finding for finding in self.findings if finding.grade == grade]

    @property
    def exit_code(self) -> int:
        """0 if settled, 4 if behind, 3 if broken, 2 if unknown because a part is unavailable."""
        if self.away:
            return SEVERITIES["away"].status
        return BROKEN if self.broken else BEHIND if self.behind else SETTLED


def open_dead_letters(ledger: Ledger, settings: Settings, model: str) -> list[DeadFrame]:
    """Return the model's open dead letters, except those of frames that no longer count.

    Refresh the ledger from the store first.
    """
    forgotten = not_counted(ledger.manifests(), ledger.tombstones(), settings.count_overlaps)
    return _open_of(ledger.dead_frames(model), forgotten)


def _open_of(letters: Iterable[DeadFrame], forgotten: Forgotten) -> list[DeadFrame]:
    return [
        letter for letter in letters if not is_forgotten(letter.media, letter.captured_at_ms or 0, forgotten)
    ]


class _Detected(NamedTuple):
    """Distinct frames by source; `uncounted` are all that no longer count, the rest is in the equation."""

    detected: Counter[str]
    dead_lettered: Counter[str]
    forgotten: Counter[str]
    overlapped: Counter[str]
    uncounted: Counter[str]

    @property
    def handled(self) -> Counter[str]:
        return self.detected + self.dead_lettered + self.forgotten + self.overlapped


def read_status(
    ports: Ports,
    ledger: Ledger,
    *,
    model: str | None = None,
    progress: Progress | None = None,
    away: Mapping[str, str] | None = None,
    has_time: bool = False,
) -> Status:
    """Read the books of `model`, by default the one published last or else with the newest segment.

    The stages may be working meanwhile, so books that look broken are read again. Pass an empty log or index
    for a part that is `away` (see `Status.away`). `has_time`: see `Glance`.

    Raises:
        Retryable: The store, the log, the index or the ledger is unavailable.
    """
    books = _Books(**vars(ports), ledger=ledger)
    with no_collection():
        status = books.read(model, progress or NoProgress(), away or {})
        if status.broken:
            status = books.read(model, NoProgress(), away or {})
        around_books = (*_of_frames(status), *find_open(Glance(ports.settings, ports.store, has_time)))
        tested = model_input(ports.settings, ports.store, status.model)
        return status._replace(findings=(*status.findings, *around_books), model_input=tested)


def _of_frames(status: Status) -> Iterator[Finding]:
    """Yield frames that were lost, could not be analysed, fail a check, or show nothing."""
    if unread := sum(status.dead_letters.values()):
        causes = ", ".join(f"{cause} {frames}" for cause, frames in status.dead_letters.items())
        oldest_ms = min(status.dead_letters_since_ms.values(), default=None)
        since = "" if oldest_ms is None else f" since {utc(oldest_ms)}"
        value = f"{plural(unread, 'frame')} could not be analysed{since} ({causes})"
        remedy = "run `frametally dead-letters list`"
        yield Finding("frames", "", value, "", remedy, "/dead-letters", unread, action="Show the frames")
    for lost in status.lost:
        value = (
            f"{plural(lost.messages, 'message')} of {lost.topic}-{lost.partition}, offsets "
            f"{lost.first_offset} to {lost.next_offset - 1}, left the log before a consumer read them"
        )
        yield Finding("log", "", value, "", "raise FRAMETALLY_LOG_RETENTION_H", "/books", lost.messages)
    for report in status.quality:
        yield from report.findings
    for books in status.sources:
        if books.shows_nothing_share >= _LEAST_BLANK_SHARE:
            reasons = (
                f"{duration_text(s)} {BLANK_WORDS[why]}" for why, s in sorted(books.shows_nothing_s.items())
            )
            value = f"{', '.join(reasons)}, up to {books.shows_nothing_share:.1%} of a day's footage"
            note, page = "it shows nothing, so no number includes it", f"/footage?source={books.source}"
            yield Finding("footage", books.source_name, value, note, "", page, 1, "notice")


_LEAST_BLANK_SHARE = 1 / 500
"""Footage that shows nothing is a finding from this share of a day's frames: three minutes of 24 hours. The
API and `/metrics` also have the few black seconds of a long recording."""


_PART_OF_STAGE = {"consume": "log", "index": "index"}
"""The part whose figures decide how far a stage is behind."""
_NOT_INDEXED = SourceSummary("", 0, 0, 0)


@dataclass(frozen=True)
class _Books(Ports):
    ledger: Ledger

    def read(self, model: str | None, progress: Progress, away: Mapping[str, str]) -> Status:
        model = model or self._default_model()
        if model is None:  # an empty ledger
            self.ledger.refresh(self.store, progress)
            model = self._default_model()
        logs_before = read_logs(self.log, self.settings, model, self._chain(model))
        indexed = self.index.current_runs()  # before the store, which then has runs published in the meantime
        self.ledger.refresh(self.store, progress)
        manifests, runs = footage_of(self.ledger.manifests(), model), self.ledger.runs()
        chain = self._chain(model)
        logs, reads_all = read_logs(self.log, self.settings, model, chain)
        waiting = sum(log.waiting for log in logs)
        # Every segment has been seen only if the logs were drained before and after.
        drained = logs_before == (logs, reads_all) and reads_all and not waiting
        stones = self.ledger.tombstones()
        uncounted = not_counted(manifests, stones, self.settings.count_overlaps)
        detected = self._detected(model, manifests, stones, uncounted)
        stored_runs = with_zones(counted_run.run for counted_run in runs)
        to_count = runs_to_count(self.index, model, indexed, stored_runs) if model else []
        runs = [counted_run for counted_run in runs if counted_run.run not in to_count]
        sources = self._sources(model, manifests, runs, detected)
        correcting = [info.key for info in list_records(self.store, keys.CORRECTIONS)]
        catch_up = consume_command(self.settings.topic, self.settings)
        redetect = f"frametally redetect --model {model}"
        judged = judge(
            sources,
            uncounted_frames=detected.uncounted,
            drained=drained,
            correcting=bool(correcting),
            has_damage=bool(model and self.ledger.damaged_segments(model)),
            detect=catch_up if reads_all else redetect,
            again=redetect if model else catch_up,
        )
        findings = [*(_to_detect(log, self.settings) for log in logs if log.waiting), *judged]
        if all(books.counted == books.detected for books in sources):
            of_model = [counted_run for counted_run in runs if counted_run.run.model == model]
            to_count += runs_before_undo(of_model, stones)
        findings += to_count_again(to_count)
        findings += of_earlier_rules(run for run in stored_runs if base_model(run.model) == model)
        to_index = [run for run in runs_to_index(indexed, stored_runs) if base_model(run.model) == model]
        if to_index and all(books.counted == books.indexed for books in sources):
            days = plural(len(to_index), "day")
            findings.append(work_left("", f"the index: {days} to index", "run `frametally index`"))
        correcting += [info.key for info in list_records(self.store, keys.CHANGES)]
        unfinished = "a correction is not finished"
        findings += [work_left(key, unfinished, "run the same command again") for key in correcting]
        damaged = [broken("", line) for line in self.ledger.problems(model) + chain_breaks(chain)]
        dead = _open_of(self.ledger.dead_frames(model), uncounted) if model else []
        own_runs = [run for run in stored_runs if run.model == model]
        newest = sorted(own_runs, key=lambda run: (run.day, run.interval_s))[-_REPORTS:]
        quality, unreadable = read_reports(self.store, newest)
        damaged += [finding._replace(area="books") for finding in unreadable]
        findings += beyond_store(indexed, stored_runs)
        findings.sort(key=lambda finding: finding.grade == "behind")
        stages = stages_behind(
            sources,
            messages_waiting=waiting,
            detect=next((consume_command(log.topic, self.settings) for log in logs if log.waiting), catch_up),
        )
        return Status(
            model=model,
            sources=sources,
            stages=[line for line in stages if _PART_OF_STAGE.get(line.stage) not in away],
            log_messages=sum(log.messages for log in logs),
            log_committed=sum(log.committed for log in logs),
            counted_at_ms=self._counted_at(own_runs),
            pace=pace_of(self.ledger.recent_puts(model, PACE_SPAN_MS) if model else [], waiting),
            # While every announced frame is in a segment, lost messages do not matter.
            lost=[]
            if "log" in away or (sources and all(books.announced <= books.handled for books in sources))
            else lost_messages(chain, logs),
            dead_letters=dict(sorted(Counter(letter.cause for letter in dead).items())),
            dead_letters_since_ms={
                letter.cause: letter.put_at_ms
                for letter in sorted(dead, key=lambda letter: -letter.put_at_ms)  # the oldest stays
                if letter.put_at_ms
            },
            unidentified_dead_letters=sum(not letter.source for letter in dead),
            away=away,
            quality=quality,
            # An empty log or index replaces one that is away.
            findings=(*damaged, *(() if away else findings)),
        )

    def _chain(self, model: str | None) -> list[ChainLink]:
        return self.ledger.chain(model) if model else []

    def _counted_at(self, runs: Iterable[Run]) -> int | None:
        newest = max(runs, key=lambda run: (run.day, run.sequence), default=None)
        info = self.store.head(newest.key) if newest else None
        return info.modified_at_ms or None if info else None

    def _default_model(self) -> str | None:
        series = self.index.series()
        if series:
            return series[0].model
        runs = self.ledger.runs()
        return base_model(runs[-1].run.model) if runs else next(iter(self.ledger.models()), None)

    def _sources(
        self, model: str | None, manifests: list[MediaManifest], runs: list[CountedRun], detected: _Detected
    ) -> list[SourceLine]:
        run_group = _runs_to_compare(runs, model, self.settings)
        counted_frames: Counter[str] = Counter()
        for run in run_group:
            counted_frames.update(run.frames)
        interval_s = run_group[0].run.interval_s if run_group else None
        media = by_source(manifests)
        names = source_names(manifests)
        of_interval = self.index.sources(model, interval_s) if model and interval_s else []
        indexed = {summary.source: summary for summary in of_interval}
        by_file_date = sources_timed_by_file(manifests)
        newest = self.ledger.newest_frames(model) if model else {}
        until = footage_until(manifests)
        summaries = self.index.sources(model) if model else []
        next_ms = {summary.source: summary.next_interval_ms for summary in summaries}
        sources = []
        for source in sorted({*names, *detected.handled, *counted_frames}):
            of_source = media.get(source, [])
            of_index = indexed.get(source, _NOT_INDEXED)
            sources.append(
                SourceLine(
                    source=source,
                    source_name=names.get(source, source),
                    expected=sum(manifest.frames_expected for manifest in of_source),
                    announced=sum(manifest.frames_announced for manifest in of_source),
                    detected=detected.detected[source],
                    dead_lettered=detected.dead_lettered[source],
                    counted=counted_frames[source],
                    indexed=of_index.frames,
                    producing=any(manifest.state == "producing" for manifest in of_source),
                    capturing=any(
                        manifest.state == "producing" and manifest.live is not None for manifest in of_source
                    ),
                    file_time=source in by_file_date,
                    forgotten=detected.forgotten[source],
                    overlapped=detected.overlapped[source],
                    newest_captured_at_ms=newest.get(source),
                    footage_until_ms=until.get(source),
                    counted_until_ms=counted_until(next_ms.get(source), until.get(source)),
                    shows_nothing_s={reason: ms / 1000 for reason, ms in of_index.blank_ms.items()},
                    shows_nothing_share=of_index.blank_share,
                )
            )
        return sources

    def _detected(
        self,
        model: str | None,
        manifests: list[MediaManifest],
        stones: list[Tombstone],
        all_uncounted: Forgotten,
    ) -> _Detected:
        result = _Detected(Counter(), Counter(), Counter(), Counter(), Counter())
        current = {media_of(manifest) for manifest in manifests}
        forgotten = forgotten_by(stones)
        for tally in self.ledger.tallies(model) if model else []:
            uncounted = self._uncounted_of(model, tally, all_uncounted)
            of_forgotten = sum(self._uncounted_of(model, tally, forgotten)) if any(uncounted) else 0
            if uncounted[0]:
                result.uncounted[tally.source] += uncounted[0]
            if tally.media not in current and uncounted == (tally.detected, tally.dead_lettered):
                continue
            for counter, frames in (
                (result.detected, tally.detected - uncounted[0]),
                (result.dead_lettered, tally.dead_lettered - uncounted[1]),
                (result.forgotten, of_forgotten),
                (result.overlapped, sum(uncounted) - of_forgotten),
            ):
                if frames:
                    counter[tally.source] += frames
        return result

    def _uncounted_of(self, model: str | None, tally: FrameTally, forgotten: Forgotten) -> tuple[int, int]:
        """Return the detected and dead-lettered frames of a tally that no longer count."""
        detected = dead_lettered = 0
        for from_ms, to_ms in merged(forgotten[tally.media]) if tally.media in forgotten else ():
            if from_ms is None and to_ms is None:
                return tally.detected, tally.dead_lettered
            of_range = self.ledger.tally_between(
                model or "", tally.source, tally.media, from_ms=from_ms, to_ms=to_ms
            )
            detected, dead_lettered = detected + of_range[0], dead_lettered + of_range[1]
        return detected, dead_lettered


def _to_detect(log: LogPosition, settings: Settings) -> Finding:
    """Return a topic's waiting frames."""
    where = "the log" if log.topic == settings.topic else f"the log, topic {log.topic}"
    command = f"run `{consume_command(log.topic, settings)}`"
    return work_left("", f"{where}: {plural(log.waiting, 'message')} to detect", command)


def _runs_to_compare(runs: list[CountedRun], model: str | None, settings: Settings) -> list[CountedRun]:
    """Return the runs of one interval and set of settings: the configured one, or that of most frames."""
    groups: dict[tuple[bool, int, str], list[CountedRun]] = defaultdict(list)
    for counted_run in runs:
        run = counted_run.run
        if run.model == model:
            groups[run.interval_s == settings.interval_s, run.interval_s, run.params].append(counted_run)
    if not groups:
        return []
    return max(groups.items(), key=lambda item: (item[0][0], sum(run.run.frames for run in item[1])))[1]
