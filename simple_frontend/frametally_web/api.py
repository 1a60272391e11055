"""The routes of the JSON API: read the query, ask the index or the store, answer."""

from __future__ import annotations

import hashlib

import msgspec
from flask import Blueprint, Response, request, url_for

from frametally.count_index import CountIndex
from frametally.errors import Poison
from frametally.keys import check_image_key
from frametally.object_store import ObjectMissing, ObjectStore
from frametally.settings import Settings
from frametally_web import answers, counts, evidence, query
from frametally_web.problems import Problem, bad_parameter
from frametally_web.sources import list_sources

_IMAGE_CACHE = "private, max-age=31536000, immutable"


def create_blueprint(*, settings: Settings, store: ObjectStore, index: CountIndex) -> Blueprint:
    """The API over `index` and `store`; the caller chooses under which prefixes."""
    api = Blueprint("api", __name__)

    @api.get("/models")
    def models() -> Response:
        query.check_known(request.args, ())
        bases: dict[str, list[int]] = {}
        for series in index.series():
            bases.setdefault(series.model, []).append(series.base_interval_s)
        return _json(
            answers.Models(
                models=[
                    answers.ModelChoice(model=model, base_intervals_s=sorted(stored))
                    for model, stored in bases.items()
                ]
            )
        )

    @api.get("/labels")
    def labels() -> Response:
        query.check_known(request.args, ("model",))
        choice = counts.choose_model(index, query.read_one(request.args, "model"))
        found = index.labels(choice.model) if choice else []
        return _json(
            answers.Labels(
                model=choice.model if choice else None,
                labels=[answers.LabelTotal(label=label, detections=total) for label, total in found],
            )
        )

    @api.get("/sources")
    def sources() -> Response:
        query.check_known(request.args, ("model",))
        return _json(list_sources(index, store, model=query.read_one(request.args, "model")))

    @api.get("/counts")
    def count() -> Response:
        query.check_known(request.args, (*query.SELECTION_PARAMETERS, "interval"))
        return _json(
            counts.count(
                index,
                settings,
                model=query.read_one(request.args, "model"),
                selection=query.read_selection(request.args, settings),
                interval_s=query.read_interval(request.args),
            )
        )

    @api.get("/evidence")
    def find_evidence() -> Response:
        query.check_known(request.args, query.SELECTION_PARAMETERS)
        return _json(
            evidence.find_evidence(
                index,
                store,
                settings,
                model=query.read_one(request.args, "model"),
                selection=query.read_selection(request.args, settings),
                image_url=lambda path: url_for(".image", path=path),
            )
        )

    @api.get("/frames/image")
    def image() -> Response:
        query.check_known(request.args, ("path",))
        return _image(store, query.read_one(request.args, "path") or "")

    return api


def _image(store: ObjectStore, path: str) -> Response:
    try:
        key = check_image_key(path)
    except Poison as error:
        raise bad_parameter(
            "path",
            "path is not the key of a frame.",
            remedy="Give image_path as /api/evidence has it: images/<source>/<day>/<name>.jpg.",
        ) from error
    try:
        jpeg = store.get(key)
    except ObjectMissing as error:
        raise Problem(
            404,
            "The store has no such frame.",
            parameter="path",
            remedy="It was removed since it was counted, or never stored; take paths from /api/evidence.",
        ) from error
    answer = Response(jpeg, mimetype="image/jpeg")
    answer.headers["Cache-Control"] = _IMAGE_CACHE
    answer.set_etag(hashlib.sha256(jpeg).hexdigest())
    answer.make_conditional(request)  # a 304, where the browser has it already
    return answer


def _json(answer: answers.Answer) -> Response:
    response = Response(msgspec.json.encode(answer), mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
