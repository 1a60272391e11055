"""The routes that describe the API: the OpenAPI document, and a page of it from our own host."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, render_template

from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.api.openapi import describe


def create_blueprint() -> Blueprint:
    """Return the routes `/api/docs` and `openapi.json`."""
    description = Blueprint("description", __name__)

    @description.get("/api/openapi.json")
    @description.get("/api/v1/openapi.json")
    def openapi() -> Response:
        return Response(msgspec.json.encode(describe()), mimetype="application/json")

    @description.get("/api/docs")
    def docs() -> Response:
        schemas = describe()["components"]["schemas"]
        return Response(
            render_template("api.html", endpoints=ENDPOINTS, schemas=schemas), mimetype="text/html"
        )

    return description
