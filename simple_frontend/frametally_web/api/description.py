"""The routes that describe the API: OpenAPI and AsyncAPI documents, and a page served from our own host."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, render_template, request

from frametally.settings.loading import Settings
from frametally_web.api.asyncapi import describe_messages
from frametally_web.api.endpoints import ALL_ENDPOINTS
from frametally_web.api.openapi import describe
from frametally_web.api.postman import collection
from frametally_web.requests.problems import MEANINGS, problem_type


def create_blueprint(settings: Settings) -> Blueprint:
    """Return the routes `/api/docs`, `openapi.json`, `asyncapi.json` and `postman.json`."""
    description = Blueprint("description", __name__)

    @description.get("/api/openapi.json")
    @description.get("/api/v1/openapi.json")
    @description.get("/openapi.json")
    def openapi() -> Response:
        return Response(msgspec.json.encode(describe()), mimetype="application/json")

    @description.get("/api/asyncapi.json")
    @description.get("/api/v1/asyncapi.json")
    def asyncapi() -> Response:
        return Response(msgspec.json.encode(describe_messages()), mimetype="application/json")

    @description.get("/api/docs")
    @description.get("/docs")
    @description.get("/redoc")
    def docs() -> Response:
        errors = [(problem_type(status), status, meaning) for status, meaning in MEANINGS.items()]
        page = render_template("api.html", endpoints=ALL_ENDPOINTS, errors=errors)
        response = Response(page, mimetype="text/html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @description.get("/api/postman.json")
    def postman() -> Response:
        root_url = (settings.web_url or request.url_root).rstrip("/")
        return Response(msgspec.json.encode(collection(root_url)), mimetype="application/json")

    return description
