"""The routes of the models page: what models cost here, and a second count of the last week with one.

Networks run in a separate process, `frametally models`, so that the dashboard stays small and responsive.
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Annotated

import msgspec

from frametally.actions.calls import Sent, answer_with
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args
from frametally.actions.problems import Problem, as_sentence, without_folders
from frametally.errors import Misconfigured
from frametally.ports.count_index import CountQuery, Series
from frametally.process.bound import bound
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import plural
from frametally.rules.places import SIMULATED_MODEL
from frametally.rules.times import DAY_S, HOUR_S, WEEK_MS, utc
from frametally_web.access.visitors import remedy_for
from frametally_web.books.context import ActionContext, Handlers
from frametally_web.changes.answers import ChangePlan, ChangeState
from frametally_web.changes.desk import ChangeDesk, ChangeOutcome, ChangeSteps
from frametally_web.presets.answers import ModelCost, Presets

PRESETS = Routes("Changes", right="run")
NOT_DOWNLOADED = "not downloaded"
"""Why `frametally models list` has no speed for an available model."""


class SecondCountWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model to count the last week with.

    Attributes:
        name: A preset or model of `GET /api/v1/presets`.
    """

    name: Annotated[str, msgspec.Meta(max_length=64)]


class _LabelCount(msgspec.Struct, frozen=True):
    label: str
    now: int
    other: int


class _Line(msgspec.Struct, frozen=True):
    """A line of `frametally models count --json`: its progress, or its result."""

    done: int = 0
    total: int | None = None
    labels: list[_LabelCount] = []


_CHOICE = Sent(SecondCountWanted, "choice of a model")
_CODES = (0, PART_DONE)


class PresetRoutes(Handlers):
    """The handlers; a measurement or a second count runs in the background, one at a time, at `desk`."""

    def __init__(self, context: ActionContext) -> None:
        """Make the handlers of one application. Measure nothing yet."""
        super().__init__(context)
        self.desk = ChangeDesk(lambda: context.books.read_again())
        self._process: subprocess.Popen[bytes] | None = None
        self._models: list[ModelCost] | None = None

    def close(self) -> None:
        """End the current measurement or count; starting the same count again continues it."""
        if self._process is not None:
            self._process.terminate()
        self.desk.close()

    @PRESETS.route(
        "GET presets", "Show the models and presets, with the CPU time of a picture on this machine."
    )
    def presets(self, _: Args) -> Presets:
        # A measurement that ends now must not appear in one part of the answer only.
        last, models = self.desk.last, self._models
        with_counts = dict.fromkeys(series.model for series in self._series(models))
        return Presets(models=models, last=last, with_counts=[*with_counts])

    @PRESETS.route(
        "POST presets/measure",
        "Measure the CPU time of each downloaded model; `GET presets` shows the result.",
        statuses=(409,),
        success={202: "The measurement has started."},
        only_computes=True,
    )
    def measure_presets(self, _: Args) -> ChangeState:
        self._must_be_allowed()

        def work(_: ChangeSteps) -> ChangeOutcome:
            return ChangeOutcome(
                [
                    f"{cost.name}: {cost.cpu_ms:.0f} ms of CPU time for a picture."
                    for cost in self._measure()
                    if cost.cpu_ms is not None
                ]
            )

        answer_with(202)
        return self.desk.start("measure", "models", work)

    @PRESETS.route(
        "POST presets/plan",
        "Show what counting the last week again with a model would do; change nothing.",
        body=_CHOICE,
        statuses=(404, 409),
        only_computes=True,
    )
    def plan_preset(self, _: Args) -> ChangePlan:
        model = self._chosen_model()
        until_ms, frames = self._last_week()
        if not frames:
            return ChangePlan(frames=0, lines=["There are no counts yet to compare with."], left_alone=[])
        lines = [
            f"{plural(frames, 'frame')} of the last 7 days of footage, until {utc(until_ms)[:16]} UTC, will "
            f"be analysed with {model.name} too.",
            "Both counts are kept. The present ones do not change.",
        ]
        if model.cpu_ms is None:
            lines.append(f"{model.model} is downloaded first: {model.megabytes} MB.")
        else:
            lines.append(f"This takes about {_duration(frames * model.cpu_ms / 1000)} of CPU time.")
        return ChangePlan(frames=frames, lines=lines, left_alone=[])

    @PRESETS.route(
        "POST presets/changes",
        "Count the last week again with a model; `GET presets` shows the progress.",
        body=_CHOICE,
        statuses=(404, 409),
        success={202: "The count has started."},
    )
    def change_preset(self, _: Args) -> ChangeState:
        model = self._chosen_model()

        def work(steps: ChangeSteps) -> ChangeOutcome:
            return self._count(model.name, steps)

        answer_with(202)
        return self.desk.start("count", model.name, work)

    def _must_be_allowed(self) -> None:
        remedy = remedy_for("run", self.context.remedy)
        if remedy is not None:
            raise Problem(403, "You cannot run models here.", remedy=remedy)

    def _chosen_model(self) -> ModelCost:
        """Return the requested model. Raises `Problem`: 403, 404, or 409 if it cannot run here."""
        self._must_be_allowed()
        name = _CHOICE.read().name
        model = next((model for model in self._models or () if model.name == name), None)
        if model is None:
            raise Problem(404, f"{name} is not among the measured models.", remedy="Reload the page.")
        if model.in_use:
            raise Problem(409, f"{name} is in use already.", remedy="Choose another model.")
        if model.cpu_ms is None and model.why_no_speed != NOT_DOWNLOADED:
            raise Problem(
                409, as_sentence(without_folders(model.why_no_speed)), remedy="Choose another model."
            )
        return model

    def _last_week(self) -> tuple[int, int]:
        """Return until when (ms) the model in use has counts, and the number of frames in the last 7 days."""
        if not (every := self._series(self._models)):
            return 0, 0
        series = min(
            (series for series in every if series.model == every[0].model),
            key=lambda series: series.base_interval_s,
        )
        if not (sources := self.context.whole.index.sources(series.model)):  # all its footage was deleted
            return 0, 0
        until_ms = max(source.next_interval_ms for source in sources)
        query = CountQuery(
            *series,
            interval_s=series.base_interval_s * math.ceil(DAY_S / series.base_interval_s),
            from_ms=until_ms - WEEK_MS,
            to_ms=until_ms,
        )
        return until_ms, sum(day.frames for day in self.context.whole.index.histogram(query).coverage)

    def _series(self, models: list[ModelCost] | None) -> list[Series]:
        """Return the series of real footage: of the model in use, then the newest published first."""
        used = {model.model_id for model in models or () if model.in_use}
        every = [series for series in self.context.whole.index.series() if series.model != SIMULATED_MODEL]
        return sorted(every, key=lambda series: series.model not in used)

    def _measure(self) -> list[ModelCost]:
        text = b"".join(self._run("list"))
        self._models = msgspec.json.decode(text, type=list[ModelCost])
        return self._models

    def _count(self, name: str, steps: ChangeSteps) -> ChangeOutcome:
        result = _Line()
        for text in self._run("count", name):
            result = msgspec.json.decode(text, type=_Line)
            steps.update(result.done, result.total)
        self._measure()  # it may have been downloaded
        counts = [
            f"{label.label}: {label.other:,}, with the model in use {label.now:,}." for label in result.labels
        ]
        return ChangeOutcome(["Both counts are kept.", *(counts or ["Neither model has found anything."])])

    def _run(self, command: str, *arguments: str) -> Iterator[bytes]:
        """Yield the JSON lines that `frametally models` prints. Raises `Misconfigured` with its message."""
        program = [sys.executable, "-m", "frametally", "models", command, *arguments, "--json"]
        program += ["--data-dir", str(self.settings.data_dir)]
        with (
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(  # noqa: S603 - our own command
                bound(program), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
            ) as process,
        ):
            self._process = process
            try:
                yield from process.stdout or ()
                process.wait()
            finally:
                process.terminate()
            if process.wait() in _CODES:
                return
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        raise Misconfigured(lines[-1].removeprefix("error: "))


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * HOUR_S else f"{seconds / HOUR_S:.0f} h"
