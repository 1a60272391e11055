"""Answers about models: what each costs on this machine, and the progress of a second count."""

from __future__ import annotations

from frametally.actions.answers import Answer
from frametally_web.changes.answers import ChangeState


class ModelCost(Answer, frozen=True, kw_only=True):
    """A model or a preset, and the time that it takes here.

    Attributes:
        name: As `frametally models use` takes it.
        model: The model that it runs; of a preset, another name.
        model_id: Its ID, with which its counts are stored; null if it cannot run here, or is not downloaded.
        is_preset: Whether it is a preset.
        input: Width and height of its input in pixels, such as `640x480`; null if unknown.
        licence: SPDX identifier, of its weights; null if unknown.
        ap: Mean AP on COCO's val2017 by its authors, 0 to 100; null if not published.
        megabytes: Size of its download; null if unknown.
        in_use: Whether new footage is detected with it.
        cpu_ms: CPU time of a picture on this machine, in milliseconds; null if not measured.
        of_present: `cpu_ms` divided by that of the model in use; null if not measured.
        why_no_speed: Why `cpu_ms` is null; otherwise empty.
    """

    name: str
    model: str
    model_id: str | None
    is_preset: bool
    input: str | None
    licence: str | None
    ap: float | None
    megabytes: float | None
    in_use: bool
    cpu_ms: float | None
    of_present: float | None
    why_no_speed: str


class Presets(Answer, frozen=True, kw_only=True):
    """`/api/presets`: the models of this machine.

    Attributes:
        models: All models, then the presets; null if none was measured since the server started.
        last: The measurement or second count that runs, or the last one; null if there was none yet.
        with_counts: IDs of the models that have counts: first the one in use, where that is measured; then
            the newest published first.
    """

    models: list[ModelCost] | None
    last: ChangeState | None
    with_counts: list[str]
