"""The answer of `/api/frames/boxes`: one frame, with the boxes that a model counted in it."""

from __future__ import annotations

from collections.abc import Callable

from frametally.books.count_settings import SettingsByDay
from frametally.books.evidence import frames_of_bar
from frametally.errors import Retryable
from frametally.keys import parse_image_name
from frametally.media.overlapping import NotCounted
from frametally.ports.object_store import ObjectMissing
from frametally.settings.loading import Settings
from frametally_web.books.reader import DashboardPorts
from frametally_web.charts import scope
from frametally_web.proof import answers
from frametally_web.proof.evidence import frame_boxes
from frametally_web.requests.problems import Problem
from frametally_web.requests.query import Selection


def find_frame(
    ports: DashboardPorts,
    settings: Settings,
    selection: Selection,
    image_key: str,
    *,
    image_url: Callable[[str], str],
) -> answers.FrameOfModel:
    """Return a frame with the boxes of the labels asked for; `image_url` gives its address from its key.

    Raises:
        Problem: 400, if there is no such model; 404, if it has not analysed the frame, or it does not count.
        Retryable: A port is away, or the ledger speaks of a segment that has gone.
    """
    choice = scope.choose_model(ports.index, selection.model)
    _, source, _, name = image_key.split("/")
    parts = parse_image_name(name)
    if choice is None or parts is None:
        raise _missing(selection.model)
    at_ms = parts.captured_at_ms
    by_day = SettingsByDay(ports.index, choice.model, selection.base_s or choice.base_intervals_s[0])
    found = frames_of_bar(
        ports.store,
        ports.ledger,
        model=choice.model,
        source=source,
        labels=selection.labels,
        from_ms=at_ms,
        to_ms=at_ms + 1,
        limits=by_day.counted_boxes_at(at_ms, settings.counted_boxes()),
        not_counted=NotCounted(ports.ledger).by(by_day.overlaps_at(at_ms, settings.count_overlaps)),
        empty=True,
    )
    try:
        proved = next((one for one in found if one.frame.image_path == image_key), None)
    except ObjectMissing as error:
        raise Retryable(f"{error}; the ledger is being brought up to the store") from error
    if proved is None:
        raise _missing(choice.model)
    return answers.FrameOfModel(**frame_boxes(proved, image_url), model=choice.model)


def _missing(model: str | None) -> Problem:
    return Problem(
        404,
        f"The frame is not among those that {model or 'any model'} has counted.",
        parameter="path",
        remedy="It was not analysed, or does not count any more; take paths from another answer.",
    )
