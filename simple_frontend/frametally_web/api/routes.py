"""The handlers of the JSON API: read the query, ask the index or the store, answer."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from typing import cast, get_args

import msgspec
from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import MultiDict

from frametally.errors import Poison
from frametally.keys import check_image_key
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.time_limit import time_limit
from frametally.records import Cause
from frametally.settings.loading import Settings
from frametally_web.access.visitors import visitor
from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.books import dead_letters, run_list, status
from frametally_web.books.reader import BooksReader, DashboardPorts, version_text
from frametally_web.charts import counts, heatmap, scope, summary
from frametally_web.charts.answers import Counts
from frametally_web.charts.names import check_names
from frametally_web.charts.narrowing import narrowed
from frametally_web.charts.sources import list_sources
from frametally_web.compare.differences import find_differences
from frametally_web.endpoints.parameters import Endpoint
from frametally_web.exports.table_file import FORMATS, chunks_of, export
from frametally_web.proof import evidence, frames, gap, objects
from frametally_web.proof.picture_links import no_such_frame, picture_link
from frametally_web.proof.single import find_frame
from frametally_web.proof.thumbnails import WIDTHS_PX, smaller
from frametally_web.requests import answers, query
from frametally_web.requests.cache import AnswerCache
from frametally_web.requests.packing import chosen_encoding, pack
from frametally_web.requests.problems import bad_parameter

Args = MultiDict[str, str]
Handler = Callable[[Args], msgspec.Struct | Response]

_IMAGE_CACHE = "private, max-age=31536000, immutable"
_PAGE_FRAMES = 24
_USUAL_DIFFERENCES = 10
_MOST_DIFFERENCES = 100
_LEAST_KEPT_PACKED_BYTES = 2000
_KEPT = ("labels", "sources", "catalogue", "counts", "summary", "differences", "heatmap")
"""Answers that change only with the index and the media."""
_OF_COUNTS = (*_KEPT, "models", "evidence")
"""Answers that a page keeps until the counts change: each says by `VERSION_HEADER` which it was made from."""
VERSION_HEADER = "Frametally-Counts-Version"


class Api:
    """The handlers, each by its endpoint's name, over the ports and what is read in the background."""

    def __init__(
        self,
        *,
        settings: Settings,
        ports: DashboardPorts,
        books: BooksReader,
    ) -> None:
        """Make the handlers; `add` adds those of others."""
        self._settings = settings
        self._ports = ports
        self._books = books
        self._handlers: list[object] = [self]
        self._cache = AnswerCache(settings.web_cache_mb * 1_000_000)
        # Another start may answer otherwise: by other settings, or as another version.
        self._started = secrets.token_hex(8)

    def add(self, handlers: Iterable[object]) -> None:
        """Add handlers of others, each with a method for an endpoint's name; of one name the first counts."""
        self._handlers += handlers

    def blueprint(self, *, at_root: bool = False) -> Blueprint:
        """Return the routes; the caller chooses under which prefixes, and has those `at_root` without one."""
        api = Blueprint("root" if at_root else "api", __name__)
        for endpoint in ENDPOINTS:
            if endpoint.streams or endpoint.at_root != at_root:
                continue  # what does not end is no matter of threads: asgi.py has it
            rule = "/" + endpoint.path.replace("{", "<").replace("}", ">")
            api.add_url_rule(rule, endpoint.name, self._view(endpoint), methods=[endpoint.method])
        return api

    def _view(self, endpoint: Endpoint) -> Callable[..., Response]:
        handlers = (getattr(one, endpoint.name) for one in self._handlers if hasattr(one, endpoint.name))
        make: Handler = next(handlers)

        def view(**in_path: str) -> Response:
            query.check_known(request.args, endpoint.in_query)
            args: Args = MultiDict(request.args)
            args.update(in_path)
            with time_limit(self._settings.web_query_timeout_s):
                return self._answer(endpoint, make, args)

        return view

    def _answer(self, endpoint: Endpoint, make: Handler, args: Args) -> Response:
        if endpoint.answer is None:
            return cast(Response, make(args))
        if endpoint.name not in _OF_COUNTS:
            body = msgspec.json.encode(make(args))
            return _json(body, tag=body)
        version = self._ports.index.version()
        self._books.media()  # sees to it that they are read
        state = (version, self._books.generation)
        if endpoint.name in _KEPT:
            answer = self._kept(endpoint, state, lambda: msgspec.json.encode(make(args)))
        else:
            body = msgspec.json.encode(make(args))
            answer = _json(body, tag=body)
        answer.headers[VERSION_HEADER] = version_text(*state)
        return answer

    def _kept(self, endpoint: Endpoint, state: tuple[str, int], make: Callable[[], bytes]) -> Response:
        question = (endpoint.name, request.query_string, visitor().sources)
        tag = repr((self._started, state, question)).encode()
        if request.if_none_match.contains_weak(_hash(tag)):
            return _json(b"", tag=tag)  # which becomes a 304
        body = self._cache.get(state, question, make)
        encoding = chosen_encoding()
        if encoding is None or len(body) < _LEAST_KEPT_PACKED_BYTES:
            return _json(body, tag=tag)
        packed = self._cache.get(state, (*question, encoding), lambda: pack(body, encoding))
        answer = _json(packed, tag=tag)
        answer.headers["Content-Encoding"] = encoding
        return answer

    def models(self, _: Args) -> answers.Models:
        """List what can be asked for."""
        return answers.Models(
            models=[
                answers.ModelChoice(model=model, base_intervals_s=stored)
                for model, stored in scope.stored_intervals(self._ports.index).items()
            ]
        )

    def labels(self, args: Args) -> answers.Labels:
        """List the labels, most first."""
        choice = scope.choose_model(self._ports.index, query.read_one(args, "model"))
        found = self._ports.index.labels(choice.model) if choice else []
        return answers.Labels(
            model=choice.model if choice else None,
            labels=[answers.LabelTotal(label=label, detections=total) for label, total in found],
        )

    def sources(self, args: Args) -> answers.Sources:
        """List the sources, by name."""
        return list_sources(self._ports.index, self._books.media(), model=query.read_one(args, "model"))

    def catalogue(self, args: Args) -> answers.Answer:
        """List all that can be asked for."""
        labels = self.labels(args)
        return answers.Catalogue(
            model=labels.model,
            models=self.models(args).models,
            labels=labels.labels,
            sources=self.sources(args).sources,
        )

    def counts(self, args: Args) -> Counts:
        """Answer with the chart's numbers."""
        return counts.count(
            self._ports_of(args).index,
            self._settings,
            self._books.media(),
            query.read_chart(args, self._settings),
            most_rows=self._settings.web_max_buckets,
        )

    def summary(self, args: Args) -> answers.Answer:
        """Answer with what the chart says."""
        return summary.summarise(
            self._ports_of(args).index,
            self._settings,
            self._books.media(),
            query.read_chart(args, self._settings),
        )

    def differences(self, args: Args) -> answers.Answer:
        """Tell how far two sides are apart."""
        compare = query.read_compare(args)
        if compare is None:
            raise bad_parameter("compare", "There is no compare.", remedy="Give one, such as compare=week.")
        return find_differences(
            self._ports_of(args).index,
            self._settings,
            self._books.media(),
            query.read_chart(args, self._settings),
            compare,
            limit=query.read_limit(args, default=_USUAL_DIFFERENCES, most=_MOST_DIFFERENCES),
        )

    def heatmap(self, args: Args) -> answers.Answer:
        """Answer with the hours of the week."""
        selection = query.read_selection(args, self._settings)
        return heatmap.count_week(self._ports_of(args).index, self._settings, self._books.media(), selection)

    def evidence(self, args: Args) -> answers.Answer:
        """Find the busiest frame per label."""
        selection = self._selection(args)
        self._books.ensure_ledger()
        return evidence.find_evidence(self._ports_of(args), self._settings, selection, image_url=image_url)

    def frames(self, args: Args) -> answers.Answer:
        """Find every frame behind a bar."""
        selection = self._selection(args)
        limit = query.read_limit(args, default=_PAGE_FRAMES, most=query.MAX_PAGE_FRAMES)
        cursor = query.read_cursor(args, frames.FramesCursor)
        start = query.read_choice(args, "start", get_args(frames.Start))
        empty = query.read_choice(args, "empty", ("", "1")) == "1"
        self._books.ensure_ledger()
        return frames.find_frames(
            self._ports_of(args),
            self._settings,
            selection,
            limit=limit,
            cursor=cursor,
            start=start,
            empty=empty,
            image_url=image_url,
        )

    def objects(self, args: Args) -> answers.Answer:
        """Find every unique object behind a bar."""
        limit = query.read_limit(args, default=_PAGE_FRAMES, most=query.MAX_PAGE_FRAMES)
        return objects.find_objects(
            self._ports_of(args),
            self._selection(args),
            limit=limit,
            cursor=query.read_cursor(args, objects.ObjectsCursor),
            image_url=image_url,
        )

    def gap(self, args: Args) -> answers.Answer:
        """Tell what a hole is."""
        ports = self._ports_of(args)
        choice = scope.choose_model(ports.index, query.read_one(args, "model"))
        asked = query.read_gap(args, self._settings)
        self._books.ensure_ledger()
        check_names(ports.index, asked.selection, lambda: self._books.media().sources())
        return gap.find_gap(
            ports,
            self._settings,
            choice,
            source=asked.selection.sources[0],
            at_ms=asked.at_ms,
            image_url=image_url,
        )

    def runs(self, args: Args) -> answers.Answer:
        """List the last runs."""
        limit = query.read_limit(args, default=run_list.USUAL_RUNS, most=run_list.MOST_RUNS)
        return run_list.list_runs(self._ports, model=query.read_one(args, "model"), limit=limit)

    def status(self, _: Args) -> answers.Answer:
        """Answer with the books."""
        return status.answer(self._books.reading())

    def dead_letters(self, args: Args) -> answers.Answer:
        """List what could not be detected."""
        cause = query.read_choice(args, "cause", ("", *get_args(Cause)))
        limit = query.read_limit(args, default=_PAGE_FRAMES, most=query.MAX_PAGE_FRAMES)
        return dead_letters.list_dead_letters(
            self._ports,
            self._settings,
            self._books.reading().status.model,
            cause=cause or None,
            limit=limit,
            image_url=image_url,
        )

    def frames_boxes(self, args: Args) -> answers.Answer:
        """Find the boxes that a model counted in a frame."""
        selection, key = self._selection(args), _read_path(args)
        self._books.ensure_ledger()
        return find_frame(self._ports, self._settings, selection, key, image_url=image_url)

    def frames_image(self, args: Args) -> Response:
        """Answer with a frame's JPEG."""
        width = query.read_choice(args, "w", ("", *WIDTHS_PX))
        return _image(self._ports.store, self._settings, _read_path(args), int(width) if width else None)

    def export(self, args: Args) -> Response:
        """Answer with a chart's numbers as a file."""
        chosen = query.read_choice(args, "format", tuple(FORMATS))
        asked = query.read_chart(args, self._settings)
        compare = query.read_compare(args)
        media = self._books.media_to_keep()
        file = export(self._ports_of(args).index, self._settings, media, asked, chosen, compare)
        answer = Response(chunks_of(file), mimetype=FORMATS[chosen])
        answer.call_on_close(file.close)  # also where the browser goes before it has begun
        answer.content_length = file.seek(0, os.SEEK_END)
        file.seek(0)
        if chosen == "csv":
            answer.headers["Content-Type"] = "text/csv; charset=utf-8; header=present"
        answer.headers["Content-Disposition"] = f'attachment; filename="frametally-counts.{chosen}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def _ports_of(self, args: Args) -> DashboardPorts:
        """Return what a query reads: of the whole picture, or of a part; one that there is not is refused."""
        index = narrowed(self._ports.index, self._ports.store, args)
        return dataclasses.replace(self._ports, index=index)

    def _selection(self, args: Args) -> query.Selection:
        """Read what a proof is asked of; a name that is none is refused."""
        selection = query.read_selection(args, self._settings)
        check_names(self._ports_of(args).index, selection, lambda: self._books.media().sources())
        return selection


def image_url(path: str) -> str:
    """Return the address of a stored frame's picture."""
    return url_for(".frames_image", path=path)


def _read_path(args: Args) -> str:
    """Read the key of a frame."""
    try:
        key = check_image_key(query.read_one(args, "path") or "")
    except Poison as error:
        raise bad_parameter(
            "path",
            "path is not the key of a frame.",
            remedy="Give image_path as another answer has it: images/<source>/<day>/<name>.jpg.",
        ) from error
    if not visitor().sees(key.split("/")[1]):
        raise no_such_frame()
    return key


def _image(store: ObjectStore, settings: Settings, key: str, width_px: int | None) -> Response:
    # The store has no smaller ones: those come from here, also where browsers get the frames from it.
    if width_px is None and (link := picture_link(store, settings, key)):
        there = Response(status=302, headers={"Location": link})
        # Not for as long as the link works: a browser may hold it when it ends.
        there.headers["Cache-Control"] = f"private, max-age={settings.web_link_ttl_s // 2}"
        return there
    try:
        jpeg = store.get(key)
    except ObjectMissing as error:
        raise no_such_frame() from error
    if width_px is not None:
        jpeg = smaller(jpeg, width_px)
    answer = Response(jpeg, mimetype="image/jpeg")
    answer.headers["Cache-Control"] = _IMAGE_CACHE
    answer.set_etag(hashlib.sha256(jpeg).hexdigest())
    answer.make_conditional(request)  # a 304, where the browser has it already
    return answer


def _json(body: bytes, *, tag: bytes) -> Response:
    """Return an answer that a browser keeps and asks about: what gives `tag` again is not sent again."""
    response = Response(body, mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(_hash(tag), weak=True)  # the same packed or not
    response.vary.add("Accept-Encoding")
    response.make_conditional(request)
    return response


def _hash(tag: bytes) -> str:
    return hashlib.sha256(tag).hexdigest()[:32]
