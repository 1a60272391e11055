"""Names that a query may not have: what is misspelt is a mistake, and no zero."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from frametally.naming.known import labels_to_count
from frametally.naming.nearest import NoSuchName, no_such
from frametally.ports.count_index import CountIndex
from frametally_web.access.visitors import visitor
from frametally_web.charts.scope import choose_model, stored_intervals
from frametally_web.requests.problems import Problem, as_sentence, bad_parameter
from frametally_web.requests.query import Selection, shown

_MOST_NAMED = 5


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
        filmed = sorted(sources_with_media()) if selection.sources else []
        if strange := [
            one for one in selection.sources if not visitor().sees(one) or (filmed and one not in filmed)
        ]:
            raise unknown("source", strange, filmed)
        return
    missing: list[NoSuchName] = []
    labels = [label for label, _ in index.labels(choice.model)]
    if not {*labels}.issuperset(selection.labels):
        others = labels_to_count(index, choice.model)
        for model in stored_intervals(index):
            others.update(label for label, _ in index.labels(model))
        if not {*labels, *others}.issuperset(selection.labels):
            missing += _missing("label", selection.labels, [*labels, *sorted(others.difference(labels))])
    sources = {one.source for one in index.sources(choice.model)}
    if not sources.issuperset(selection.sources):
        sources.update(sources_with_media())
        for model in stored_intervals(index):
            sources.update(one.source for one in index.sources(model))
        missing += _missing("source", selection.sources, sorted(sources))
    if missing:
        raise _refusal(missing)


def unknown(parameter: str, asked: Iterable[str], known: Sequence[str]) -> Problem:
    """Return the problem that names asked for are none of those known, with the nearest ones."""
    return _refusal(_missing(parameter, asked, known))


def _missing(parameter: str, asked: Iterable[str], known: Sequence[str]) -> list[NoSuchName]:
    return [no_such(parameter, name, known) for name in asked if name not in known]


def _refusal(missing: Sequence[NoSuchName]) -> Problem:
    first, named = missing[0], missing[:_MOST_NAMED]
    remedies = [
        one.remedy if len(missing) == 1 else f"{one.kind} {shown(one.name)!r}: {one.remedy}" for one in named
    ]
    return bad_parameter(
        first.kind,
        " ".join(f"There is no {one.kind} {shown(one.name)!r}." for one in named),
        remedy=" ".join(map(as_sentence, remedies)),
        value=first.name,
        instead=first.near,
    )
