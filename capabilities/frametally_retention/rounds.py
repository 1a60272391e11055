"""Applies the policy: removes data in steps that survive a kill, or lists the data that it would remove.

It removes frames in batches. Before each batch, it records the range in the policy (`begin_removal`) and
plans the batch again if the policy has changed or an accuracy check has begun, so that a hold or a check
stops everything that has not begun. Removing frames twice does nothing, so a call after a kill continues.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from frametally.errors import Retryable
from frametally.media.kept_data import KeptItem, KeptKind, kept_parts, kinds_in
from frametally.packs.packed_store import delete_pictures
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.ports.opened import StorePorts
from frametally.process import failpoints
from frametally.process.reports import Progress
from frametally.rules.times import FIRST_MS, NEXT_MS, is_ahead, utc
from frametally.settings.loading import Settings
from frametally_retention.dead_letters import DEAD_LETTERS, dead_letters, settled_frames
from frametally_retention.frame_hours import (
    FrameHour,
    FramePlanner,
    HourPlan,
    Reason,
    stored_hours,
    stored_sources,
)
from frametally_retention.policy import (
    FRAMES,
    THINNING,
    Removal,
    RemovedKind,
    RetentionPolicy,
    begin_removal,
    end_round,
    read_policy,
)

if TYPE_CHECKING:
    from frametally_retention.proof_frames import ProofFrames

_BATCH = 500
"""Frames to remove at once; at most this many are removed after a hold was set."""


class StoredKind(NamedTuple):
    """How much data of one kind and source there is, and how much of it is removed."""

    kind: str
    source: str
    items: int
    size_bytes: int
    going: int
    going_bytes: int


@dataclass
class RetentionReport:
    """The result of a round, or of a dry run.

    Attributes:
        now_ms: The time from which ages count.
        kinds: For each kind with a rule, how much data there was, and how much was removed.
        spared: How many frames stay although they are old enough, by reason.
        lines: Sentences for people.
    """

    now_ms: int
    kinds: list[StoredKind] = field(default_factory=list)
    spared: Counter[Reason] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    @property
    def going_bytes(self) -> int:
        """The bytes that the round frees in the object store."""
        return sum(kind.going_bytes for kind in self.kinds)


def known_kinds(ports: StorePorts) -> list[str]:
    """Return the kinds that a rule can name."""
    kinds = kinds_in(kept_parts(ports), "rules")
    return [FRAMES, THINNING, DEAD_LETTERS, *(kind.name for kind in kinds if not kind.rule)]


class RetentionRound:
    """One round over all data, for a command or a scheduler."""

    def __init__(
        self,
        ports: StorePorts,
        ledger: Ledger,
        *,
        clock_ms: int,
        progress: Progress,
        dry: bool,
        trial: RetentionPolicy | None = None,
    ) -> None:
        """Refresh the ledger, and find the time from which ages count.

        Ages count from this machine's clock, but never from a time after the newest footage, so a clock
        that is set forward removes nothing early. A dry run may try another policy than the store's.

        Raises:
            Poison: The policy is damaged.
            Retryable: The store or the ledger is unavailable.
        """
        self._store: ObjectStore = ports.store
        self._settings: Settings = ports.settings
        self._clock_ms, self._began_s = clock_ms, monotonic()
        self._progress, self._dry = progress, dry
        self._id = str(uuid.uuid4())
        self._parts = kept_parts(ports)
        self._proofs: ProofFrames | None = None
        if trial is not None and not dry:
            raise AssertionError("only a dry run tries a policy")
        self._policy = read_policy(self._store) if trial is None else trial
        ledger.refresh(self._store, progress)
        newest_ms = max(
            (at_ms for model in ledger.models() for at_ms in ledger.newest_frames(model).values()), default=0
        )
        self.report = RetentionReport(min(clock_ms, newest_ms))
        if is_ahead(newest_ms, clock_ms):
            self.report.lines.append(
                f"this machine's clock says {utc(clock_ms)}, but the newest footage is of {utc(newest_ms)}: "
                "ages count from the clock, so less is removed until you correct it"
            )
        elif newest_ms and is_ahead(clock_ms, newest_ms):
            self.report.lines.append(
                f"the newest footage is of {utc(newest_ms)}: ages count from then, not from this machine's "
                f"clock ({utc(clock_ms)})"
            )
        self._dead_letters = dead_letters(self._store, ledger)
        self._planner = FramePlanner(
            self._store,
            ledger,
            self.report.now_ms,
            self._open_proofs,
            self._checked_ranges,
            lambda: settled_frames(self._store, ledger),
        )

    def run(self) -> RetentionReport:
        """Do the round. Raises as its parts; removed data stays removed, and the next round continues."""
        try:
            self._frames()
        except ObjectMissing as error:  # a segment that the ledger still lists
            raise Retryable(f"{error}; the ledger is being updated from the store") from error
        for kind in (self._dead_letters, *kinds_in(self._parts, "rules")):
            self._kind(kind)
        if not self._dry and self._policy.rules:
            removed = [
                RemovedKind(kind=kind.kind, source=kind.source, items=kind.going, size_bytes=kind.going_bytes)
                for kind in self.report.kinds
                if kind.going
            ]
            end_round(self._store, self._id, self._clock_ms, tuple(removed))
        return self.report

    def _now_ms(self) -> int:
        """Return the clock's time; a round may take days, and a hold must know what is removed just now."""
        return self._clock_ms + round((monotonic() - self._began_s) * 1000)

    def _open_proofs(self) -> ProofFrames:
        if self._proofs is None:
            from frametally_retention.proof_frames import ProofFrames  # imports the counting job

            self._proofs = ProofFrames(self._store, self._settings, self._progress)
        return self._proofs

    def _checked_ranges(self, source: str) -> list[tuple[int, int]]:
        return [span for part in self._parts for span in part.ranges(source)]

    def _is_checked(self, source: str, image_keys: Iterable[str]) -> bool:
        """Return whether an accuracy check has drawn one of these frames since the hour was planned."""
        times_ms = [int(key.rpartition("/")[2].split("-")[0]) for key in image_keys]
        spans = self._checked_ranges(source)
        return any(from_ms <= at_ms < to_ms for from_ms, to_ms in spans for at_ms in times_ms)

    def _frames(self) -> None:
        for source in stored_sources(self._store):
            if not any(self._policy.rule_for(kind, source) for kind in (FRAMES, THINNING)):
                continue
            stored, size_bytes = 0, 0
            going: defaultdict[str, list[int]] = defaultdict(list)
            problems: set[str] = set()
            for hour in stored_hours(self._store, source):
                self._progress.update(stored, None, f"{source} {utc(hour.start_ms)}")
                stored += len(hour.frames)
                size_bytes += sum(info.size_bytes for info in hour.frames)
                plan = self._planner.plan(hour, self._policy)
                self.report.spared.update(plan.spared)
                if plan.problem:
                    problems.add(plan.problem)
                for kind, size in plan_sizes(plan) if self._dry else self._remove(plan):
                    going[kind].append(size)
            for kind in (FRAMES, THINNING):
                if self._policy.rule_for(kind, source):
                    sizes = going[kind]
                    row = StoredKind(kind, source, stored, size_bytes, len(sizes), sum(sizes))
                    self.report.kinds.append(row)
            self.report.lines += [f"{source}: not thinned: {problem}" for problem in sorted(problems)]

    def _remove(self, plan: HourPlan) -> Iterator[tuple[str, int]]:
        """Remove the frames of an hour; yield the kind and size of each that is gone."""
        hour = plan.hour
        while batch := _first_batch(plan):
            first, last = (key.rpartition("/")[2].split("-")[0] for key in (min(batch), max(batch)))
            removal = Removal(
                id=self._id,
                source=hour.source,
                from_ms=int(first),
                to_ms=int(last),
                since_ms=self._now_ms(),
            )
            policy = begin_removal(self._store, removal)
            is_same = (policy.rules, policy.holds) == (self._policy.rules, self._policy.holds)
            if not is_same or self._is_checked(hour.source, batch):
                self._policy = policy
                waiting_keys = {info.key for infos in plan.going.values() for info in infos}
                left = [info for info in hour.frames if info.key in waiting_keys]
                plan = self._planner.plan(FrameHour(hour.source, hour.start_ms, left), policy)
                if not is_same:
                    self.report.lines.append(
                        f"{hour.source}: the policy was changed during this round, and applies from "
                        f"{utc(hour.start_ms)} on"
                    )
                continue
            failpoints.passing("retention.begun")
            for _ in delete_pictures(self._store, batch):
                failpoints.passing("retention.picture")
            yield from batch.values()
            for infos in plan.going.values():
                infos[:] = [info for info in infos if info.key not in batch]

    def _kind(self, kind: KeptKind) -> None:
        rule = kind.rule or kind.name
        if not any(other.kind == rule for other in self._policy.rules):
            return
        by_source: defaultdict[str, list[KeptItem]] = defaultdict(list)
        for item in kind.items():
            by_source[item.source].append(item)
        newest_ms = max((item.stored_at_ms for items in by_source.values() for item in items), default=0)
        if kind.rule:  # it is as old as the data whose rules it follows
            newest_ms = max(newest_ms, self.report.now_ms)
        now_ms = min(self._clock_ms, newest_ms)
        for source, items in sorted(by_source.items()):
            removed = [
                item
                for item in _going(items, self._policy, rule, now_ms)
                if self._dry or self._take(kind, item)
            ]
            self.report.kinds.append(
                StoredKind(
                    kind.name,
                    source,
                    len(items),
                    sum(item.size_bytes for item in items),
                    len(removed),
                    sum(item.size_bytes for item in removed),
                )
            )

    def _take(self, kind: KeptKind, item: KeptItem) -> bool:
        """Remove an item unless its rule was changed or a hold has come meanwhile."""
        removal = Removal(
            id=self._id,
            source=item.source,
            from_ms=FIRST_MS if item.from_ms is None else item.from_ms,
            to_ms=NEXT_MS if item.to_ms is None else item.to_ms,
            since_ms=self._now_ms(),
        )
        policy = begin_removal(self._store, removal)
        rule = kind.rule or kind.name
        if policy.rule_for(rule, item.source) != self._policy.rule_for(rule, item.source):
            return False
        if policy.holds_of(item.source, item.from_ms, item.to_ms):
            return False
        failpoints.passing("retention.item")
        kind.remove(item)
        return True


def plan_sizes(plan: HourPlan) -> Iterator[tuple[str, int]]:
    """Yield the kind and size of each frame that would go."""
    for kind, infos in plan.going.items():
        for info in infos:
            yield kind, info.size_bytes


def _first_batch(plan: HourPlan) -> dict[str, tuple[str, int]]:
    infos = [(info, kind) for kind, infos in plan.going.items() for info in infos]
    return {info.key: (kind, info.size_bytes) for info, kind in sorted(infos)[:_BATCH]}


def _going(items: Sequence[KeptItem], policy: RetentionPolicy, kind: str, now_ms: int) -> list[KeptItem]:
    """Return the items of one source that a rule removes and no hold keeps, the oldest first."""
    rule = policy.rule_for(kind, items[0].source)
    if rule is None:
        return []
    newest_first = sorted(items, key=lambda item: (item.stored_at_ms, item.id), reverse=True)
    going, total_bytes = [], 0
    for item in newest_first:
        total_bytes += item.size_bytes
        is_old = rule.after_ms is not None and item.stored_at_ms < now_ms - rule.after_ms
        is_newest = total_bytes == item.size_bytes
        is_too_much = rule.most_bytes is not None and total_bytes > rule.most_bytes and not is_newest
        if (is_old or is_too_much) and not policy.holds_of(item.source, item.from_ms, item.to_ms):
            going.append(item)
    return going[::-1]
