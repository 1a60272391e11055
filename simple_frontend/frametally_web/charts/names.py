"""Names that a query may not have: what is misspelt is a mistake, and no zero."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

import msgspec

from frametally.ports.count_index import CountIndex
from frametally_web.access.visitors import visitor
from frametally_web.charts.scope import choose_model, stored_intervals
from frametally_web.requests.problems import Problem, bad_parameter
from frametally_web.requests.query import Selection, shown

_MOST_NAMED = 10


def check_names(
    index: CountIndex, selection: Selection, sources_with_media: Callable[[], Iterable[str]]
) -> None:
    """Refuse labels that have never been counted, and sources of which there is nothing at all.

    What was counted, and is not there in the range, is a zero. A source is known, too, if its footage is
    announced and not counted yet; both are, if they were counted with another model.

    Raises:
        Problem: 400, with the names that are nearest, or if there is no such model.
    """
    choice = choose_model(index, selection.model)
    if choice is None:
        if hidden := [one for one in selection.sources if not visitor().sees(one)]:
            raise unknown("source", hidden, sorted(sources_with_media()))
        return
    labels = [label for label, _ in index.labels(choice.model)]
    if not {*labels}.issuperset(selection.labels):
        others = _labels_to_count(index, choice.model)
        for model in stored_intervals(index):
            others.update(label for label, _ in index.labels(model))
        if not {*labels, *others}.issuperset(selection.labels):
            raise unknown("label", selection.labels, [*labels, *sorted(others.difference(labels))])
    sources = {one.source for one in index.sources(choice.model)}
    if not sources.issuperset(selection.sources):
        sources.update(sources_with_media())
        for model in stored_intervals(index):
            sources.update(one.source for one in index.sources(model))
        if not sources.issuperset(selection.sources):
            raise unknown("source", selection.sources, sorted(sources))


def _labels_to_count(index: CountIndex, model: str) -> set[str]:
    """Return the labels that days of a model were counted for, where not all were."""
    settings = {day.settings for day in index.counted_days(model) if day.settings}
    return {label for text in settings for label in msgspec.json.decode(text).get("labels", ())}


def unknown(parameter: str, asked: Iterable[str], known: Sequence[str]) -> Problem:
    """Return the problem that one of the names asked for is none of those known, with the nearest ones."""
    name = next(name for name in asked if name not in known)
    alike = difflib.get_close_matches(name.lower(), [one.lower() for one in known], n=3)
    near = sorted((one for one in known if one.lower() in alike), key=lambda one: alike.index(one.lower()))
    if near:
        remedy = f"Did you mean {' or '.join(near)}?"
    else:
        more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
        remedy = f"There are: {', '.join(known[:_MOST_NAMED]) or 'none yet'}{more}."
    detail = f"There is no {parameter} {shown(name)!r}."
    return bad_parameter(parameter, detail, remedy=remedy, value=name, instead=near)
