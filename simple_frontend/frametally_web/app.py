"""The Flask application, put together from its parts."""

from __future__ import annotations

from flask import Flask

from frametally.count_index import CountIndex
from frametally.object_store import ObjectStore
from frametally.settings import Settings
from frametally_web import api, pages, problems, security


def create_app(*, settings: Settings, store: ObjectStore, index: CountIndex) -> Flask:
    """The dashboard over an index (the counts) and a store (the frames behind them).

    The caller keeps both and closes them after the server has stopped.
    """
    app = Flask("frametally_web")
    blueprint = api.create_blueprint(settings=settings, store=store, index=index)
    app.register_blueprint(blueprint, url_prefix="/api")
    app.register_blueprint(blueprint, url_prefix="/api/v1", name="api_v1")
    app.register_blueprint(pages.create_blueprint(index=index))
    problems.answer_errors(app)
    security.add_headers(app)
    return app
