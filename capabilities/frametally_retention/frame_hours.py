"""Decides which frames of an hour go: by age, by size, or by thinning."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

from frametally import keys
from frametally.books.evidence import frames_in
from frametally.errors import Poison
from frametally.packs.pack_keys import MINUTE_MS
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.rules.times import HOUR_MS
from frametally_retention.frame_choice import at_crossings, spread_evenly
from frametally_retention.policy import FRAMES, THINNING, RetentionPolicy, RetentionRule

if TYPE_CHECKING:
    from frametally_retention.proof_frames import ProofFrames  # imports the counting job

Reason = Literal["held", "of_accuracy_checks", "not_analysed_yet", "not_counted_yet", "unreadable"]
"""Why frames stay that are old enough to go."""


class FrameHour(NamedTuple):
    """The stored frames of a source in one hour of event time.

    Attributes:
        start_ms: Start of the hour.
        frames: The frames, by time.
    """

    source: str
    start_ms: int
    frames: list[ObjectInfo]


class HourPlan(NamedTuple):
    """The frames of an hour, and what a rule does with them.

    Attributes:
        going: The frames to remove, by the kind of the rule.
        spared: How many stay although they are old enough, by reason.
        problem: The data that could not be read, so that nothing is thinned; empty if all was read.
    """

    hour: FrameHour
    going: dict[str, list[ObjectInfo]]
    spared: Counter[Reason]
    problem: str = ""


def stored_sources(store: ObjectStore) -> list[str]:
    """Return the slugs of the sources with stored frames; takes one listing for each."""
    sources: list[str] = []
    after = None
    while (info := next(store.list(keys.IMAGES, after), None)) is not None:
        source = info.key.split("/")[1]
        sources.append(source)
        after = f"{keys.IMAGES}/{source}/\uffff"  # after every key of that source
    return sources


def stored_hours(store: ObjectStore, source: str) -> Iterator[FrameHour]:
    """Yield the stored frames of a source, single or in packs, hour by hour."""
    for hour, infos in groupby(store.list(f"{keys.IMAGES}/{source}"), _hour_of):
        if hour is not None:
            yield FrameHour(source, hour * HOUR_MS, list(infos))


def _hour_of(info: ObjectInfo) -> int | None:
    name = keys.parse_image_name(info.key.rpartition("/")[2])
    return None if name is None else name.captured_at_ms // HOUR_MS


def _time_of(info: ObjectInfo) -> int:
    name = keys.parse_image_name(info.key.rpartition("/")[2])
    if name is None:
        raise AssertionError(info.key)  # `stored_hours` yields frames only
    return name.captured_at_ms


def size_cutoff_ms(sizes: Sequence[tuple[int, int]], most_bytes: int) -> int:
    """Return the event time before which frames go so that the newest `most_bytes` stay.

    `sizes` are pairs of an hour's start and its bytes, by time. The newest hour always stays.
    """
    total = 0
    for start_ms, size_bytes in reversed(sizes):
        total += size_bytes
        if total > most_bytes:
            return min(start_ms + HOUR_MS, sizes[-1][0])
    return sizes[0][0] if sizes else 0


@dataclass
class FramePlanner:
    """Plans hour after hour.

    Attributes:
        ledger: Refreshed from the store.
        now_ms: The time from which ages count.
        proofs: Opens the frames to keep when thinning; called only if there is something to thin.
        checked_ranges: Returns the ranges `[from_ms, to_ms)` of a source whose pictures plug-ins need.
        settled: Returns the keys of frames that cannot be analysed, and that are not waited for.
    """

    store: ObjectStore
    ledger: Ledger
    now_ms: int
    proofs: Callable[[], ProofFrames]
    checked_ranges: Callable[[str], list[tuple[int, int]]]
    settled: Callable[[], set[str]]
    _size_cutoffs: dict[tuple[str, int], int] = field(default_factory=dict)

    def plan(self, hour: FrameHour, policy: RetentionPolicy) -> HourPlan:
        """Plan one hour by a policy. Raises `Retryable`, or `ObjectMissing` if a segment has just gone."""
        plan = HourPlan(hour, {}, Counter())
        whole, thinning = (policy.rule_for(kind, hour.source) for kind in (FRAMES, THINNING))
        gone_before_ms = self._cutoff_ms(hour.source, whole)
        thin_before_ms = self.now_ms - thinning.after_ms if thinning and thinning.after_ms else 0
        old: dict[str, list[ObjectInfo]] = defaultdict(list)
        for info in hour.frames:
            at_ms = _time_of(info)
            if at_ms < gone_before_ms:
                old[FRAMES].append(info)
            elif at_ms < thin_before_ms:
                old[THINNING].append(info)
        if not old:
            return plan
        self._keep_needed(plan, old, policy)
        if thinning and old[THINNING]:
            plan = self._thin(plan, old, thinning)
        plan.going.update({kind: infos for kind, infos in old.items() if infos})
        return plan

    def _cutoff_ms(self, source: str, rule: RetentionRule | None) -> int:
        if rule is None:
            return 0
        cutoff_ms = self.now_ms - rule.after_ms if rule.after_ms else 0
        if rule.most_bytes:
            key = source, rule.most_bytes
            if key not in self._size_cutoffs:  # before anything is removed
                sizes = [
                    (hour.start_ms, sum(info.size_bytes for info in hour.frames))
                    for hour in stored_hours(self.store, source)
                ]
                self._size_cutoffs[key] = size_cutoff_ms(sizes, rule.most_bytes)
            cutoff_ms = max(cutoff_ms, self._size_cutoffs[key])
        return cutoff_ms

    def _keep_needed(self, plan: HourPlan, old: dict[str, list[ObjectInfo]], policy: RetentionPolicy) -> None:
        hour = plan.hour
        holds = policy.holds_of(hour.source, hour.start_ms, hour.start_ms + HOUR_MS)
        checked = self.checked_ranges(hour.source)
        analysed = self._analysed(hour)

        def why(info: ObjectInfo) -> Reason | None:
            at_ms = _time_of(info)
            if any(hold.touches(hour.source, at_ms, at_ms) for hold in holds):
                return "held"
            if any(from_ms <= at_ms < to_ms for from_ms, to_ms in checked):
                return "of_accuracy_checks"
            return None if info.key in analysed else "not_analysed_yet"

        for kind, infos in old.items():
            reasons = [(info, why(info)) for info in infos]
            plan.spared.update(reason for _, reason in reasons if reason is not None)
            old[kind] = [info for info, reason in reasons if reason is None]

    def _analysed(self, hour: FrameHour) -> set[str]:
        span = {"from_ms": hour.start_ms, "to_ms": hour.start_ms + HOUR_MS}
        paths: set[str] = set()
        for model in self.ledger.models():
            parts = self.ledger.parts(model, hour.source, **span)
            if parts:
                frames = frames_in(self.store, parts, model=model, source=hour.source, **span)
                paths.update(frame.image_path for frame in frames)
        return paths | self._settled

    @cached_property
    def _settled(self) -> set[str]:
        return self.settled()

    def _thin(self, plan: HourPlan, old: dict[str, list[ObjectInfo]], rule: RetentionRule) -> HourPlan:
        """Take the frames that stay out of `old`; all of them if the proof of a day is not known."""
        hour, proofs = plan.hour, self.proofs()
        if not proofs.is_counted(hour.start_ms):
            plan.spared["not_counted_yet"] += len(old.pop(THINNING))
            return plan
        try:
            proof_keys = proofs.image_paths(hour.source, hour.start_ms, rule.interval_s)
            # With a margin: the first frame after a crossing may be in the next hour.
            from_ms, to_ms = hour.start_ms - MINUTE_MS, hour.start_ms + HOUR_MS
            crossings_ms = proofs.crossing_times(hour.source, from_ms, to_ms)
        except Poison as error:
            plan.spared["unreadable"] += len(old.pop(THINNING))
            return plan._replace(problem=str(error))
        times_ms = sorted(map(_time_of, hour.frames))
        kept_ms = at_crossings(times_ms, crossings_ms)
        kept_ms |= spread_evenly(times_ms, rule.interval_s, rule.frames)
        old[THINNING] = [
            info for info in old[THINNING] if info.key not in proof_keys and _time_of(info) not in kept_ms
        ]
        return plan
