"""Answers questions about the retention policy, tries a change of it, and changes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from frametally import keys
from frametally.actions.answers import answer_of
from frametally.actions.calls import Sent, answer_with, note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args
from frametally.actions.problems import Problem, as_sentence, refusals
from frametally.errors import Misconfigured
from frametally.media.sources import source_names
from frametally.naming import KnownNames
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StorePorts
from frametally.rules.times import FIRST_MS, NEXT_MS
from frametally_retention.answers import (
    HeldRange,
    HoldAnswer,
    KeptRule,
    PlannedKind,
    RemovedData,
    RemovedRange,
    Retention,
    RetentionPlan,
    SparedFrames,
)
from frametally_retention.policy import (
    MOST_NAME_CHARACTERS,
    MOST_NOTE_CHARACTERS,
    ONE_LINE,
    LegalHold,
    RetentionPolicy,
    RetentionRule,
    change_policy,
    put_hold,
    read_policy,
    release_hold,
    with_rule,
    without_rule,
)
from frametally_retention.rounds import RetentionReport, RetentionRound, known_kinds
from frametally_web.access.visitors import remedy_for
from frametally_web.books.context import ActionContext
from frametally_web.changes.desk import ChangeDesk, ChangeOutcome, ChangeSteps
from frametally_web.translations.texts import problem_text

RETENTION = Routes("Retention", right="run")

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MOST_NAME_CHARACTERS, pattern=ONE_LINE)]
_Source = Annotated[str, msgspec.Meta(max_length=200)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=10**18)]
_Moment = Annotated[int, msgspec.Meta(ge=FIRST_MS, le=NEXT_MS)]


class RetentionRuleWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rule to set, instead of the earlier one of its kind and source.

    Attributes:
        kind: `frames`, `thinning`, `originals`, and others.
        source: Name or slug; empty means all sources that do not have their own rule.
        after_ms: Age at which data is removed; null if the rule has no age.
        most_bytes: Size up to which the newest data of each source stays; null if the rule has no size.
        interval_s: For thinning, the length of the intervals in seconds; otherwise 0.
        frames: For thinning, how many frames of each interval stay in addition to the proof; otherwise 0.
        never: Removes the rule of this kind and source; leave the other fields out.
    """

    kind: _Name
    source: _Source = ""
    after_ms: _Number | None = None
    most_bytes: _Number | None = None
    interval_s: _Number = 0
    frames: _Number = 0
    never: bool = False


class HoldWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The legal hold to set.

    Attributes:
        source: Name or slug; empty means all sources.
        from_ms: Event time at which it begins; null means no limit.
        to_ms: Event time at which it ends, exclusive; null means no limit.
        note: The reason, such as a case number.
    """

    name: _Name
    source: _Source = ""
    from_ms: _Moment | None = None
    to_ms: _Moment | None = None
    note: Annotated[str, msgspec.Meta(max_length=MOST_NOTE_CHARACTERS)] = ""


class HoldNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The name of a legal hold."""

    name: str


_RULE = Sent(RetentionRuleWanted, "retention rule")
_HOLD = Sent(HoldWanted, "legal hold")
_HOLD_NAME = Sent(HoldNamed, "name of a legal hold")
_Change = Callable[[RetentionPolicy], RetentionPolicy]


def retention_answer(store: ObjectStore) -> Retention:
    """Return the policy as the API and the page show it. Raises as `read_policy`."""
    policy = read_policy(store)
    return answer_of(
        Retention,
        (policy,),
        rules=[answer_of(KeptRule, (rule,)) for rule in policy.rules],
        holds=[answer_of(HeldRange, (hold,)) for hold in policy.holds],
        removed=[answer_of(RemovedData, (row,)) for row in policy.removed],
    )


@dataclass
class RetentionRoutes:
    """The handlers of one application; a dry run is made in the background, one at a time."""

    context: ActionContext
    _desk: ChangeDesk = field(default_factory=lambda: ChangeDesk(lambda: None))
    _report: RetentionReport | None = None

    @property
    def ports(self) -> StorePorts:
        """The settings and the store."""
        return StorePorts(self.context.settings, self.context.ports.store)

    @property
    def remedy(self) -> str | None:
        """What the visitor must do before changing the policy; None if they may."""
        return remedy_for("run", self.context.remedy)

    def close(self) -> None:
        """End the current dry run."""
        self._desk.close()

    @RETENTION.route("GET retention", "Show what is removed when, holds, and the last round.")
    def retention(self, _: Args) -> Retention:
        return retention_answer(self.ports.store)

    @RETENTION.route(
        "POST retention/plan",
        "Try a change of a rule: what all rules would remove then; change nothing.",
        body=_RULE,
        statuses=(404, 409),
        success={202: "The dry run has started; `GET retention/plan` shows the result."},
        only_computes=True,
    )
    def post_retention_plan(self, _: Args) -> RetentionPlan:
        change = self._change()
        with refusals(400):
            trial = change(read_policy(self.ports.store))

        def work(steps: ChangeSteps) -> ChangeOutcome:
            round_of_trial = RetentionRound(
                self.ports,
                self.context.ports.ledger,
                clock_ms=round(time.time() * 1000),
                progress=steps,
                dry=True,
                trial=trial,
            )
            self._report = round_of_trial.run()
            return ChangeOutcome(self._report.lines)

        self._desk.start("retention", "", work)
        answer_with(202)
        return self._plan()

    @RETENTION.route("GET retention/plan", "Show the dry run that runs, or the last one.", statuses=(404,))
    def retention_plan(self, _: Args) -> RetentionPlan:
        return self._plan()

    @RETENTION.route(
        "POST retention/rules",
        "Set or remove a rule; the next round applies it.",
        body=_RULE,
        statuses=(404,),
        frees=True,
    )
    def post_retention_rule(self, _: Args) -> Retention:
        change = self._change()
        with refusals(400):
            change_policy(self.ports.store, change)
        return retention_answer(self.ports.store)

    @RETENTION.route(
        "POST retention/holds",
        "Keep all data of a source and range, whatever the rules say.",
        body=_HOLD,
        statuses=(404,),
    )
    def post_hold(self, _: Args) -> HoldAnswer:
        self._check()
        form = _HOLD.read()
        note_target(from_ms=form.from_ms, to_ms=form.to_ms)
        hold = LegalHold(
            name=form.name,
            source=self._slug(form.source),
            from_ms=form.from_ms,
            to_ms=form.to_ms,
            note=form.note,
            set_at_ms=round(time.time() * 1000),
        )
        with refusals(400):
            removals = put_hold(self.ports.store, hold)
        return HoldAnswer(being_removed=[answer_of(RemovedRange, (removal,)) for removal in removals])

    @RETENTION.route(
        "POST retention/holds/release",
        "Release a hold; the next round applies the rules to its data again.",
        body=_HOLD_NAME,
        statuses=(404,),
    )
    def release_hold(self, _: Args) -> Retention:
        self._check()
        with refusals(404):
            release_hold(self.ports.store, _HOLD_NAME.read().name)
        return retention_answer(self.ports.store)

    def _plan(self) -> RetentionPlan:
        last = self._desk.last
        if last is None:
            raise Problem(404, "There was no dry run yet.", remedy="POST /api/v1/retention/plan starts one.")
        report = self._report if last.state == "done" else None
        return RetentionPlan(
            state=last.state,
            done=last.done,
            kinds=[answer_of(PlannedKind, (kind,)) for kind in report.kinds] if report else [],
            spared=[SparedFrames(reason=why, frames=frames) for why, frames in sorted(report.spared.items())]
            if report
            else [],
            going_bytes=report.going_bytes if report else None,
            lines=[problem_text(as_sentence(line)) for line in last.lines],
        )

    def _change(self) -> _Change:
        """Return the requested change of a rule. Raises `Problem`: 400, 403 or 404."""
        self._check()
        form = _RULE.read()
        slug = "" if form.never and not form.source else self._slug(form.source, must_exist=not form.never)
        if form.never:
            note_target(rule="removed")
            return lambda policy: without_rule(policy, form.kind, slug)
        kinds = known_kinds(self.ports)
        if form.kind not in kinds:
            with refusals(400):
                raise Misconfigured(
                    f"there can be no rule for {form.kind!r}", f"choose one of {', '.join(kinds)}"
                )
        fields = {name: getattr(form, name) for name in ("after_ms", "most_bytes", "interval_s", "frames")}
        note_target(**fields)
        rule = RetentionRule(kind=form.kind, source=slug, **fields)
        return lambda policy: with_rule(policy, rule)

    def _check(self) -> None:
        if (remedy := self.remedy) is not None:
            raise Problem(403, "You cannot change retention here.", remedy=remedy)

    def _slug(self, source: str, *, must_exist: bool = True) -> str:
        """Return the slug of a source by its name; empty for all. Raises `Problem` (404) if unknown."""
        if not source:
            return ""
        slug = keys.slug(source)
        if must_exist:
            ports = self.context.ports
            names = KnownNames(
                source_names(ports.ledger.manifests()),
                settings=self.context.settings,
                store=ports.store,
                index=ports.index,
            )
            with refusals(404):
                for name in names.unknown(sources=[slug]):
                    if name.is_certain:
                        raise Misconfigured(name.fault, name.remedy)
        return slug
