"""The routes of the books: whether every frame is accounted for, and what runs."""

from __future__ import annotations

from typing import get_args

from frametally.records import Cause
from frametally_web.books import answers, dead_letters, run_list, status
from frametally_web.proof.picture_links import image_url
from frametally_web.requests.endpoints import Routes
from frametally_web.requests.handlers import Handlers
from frametally_web.requests.parameters import Args, choice, page_limit
from frametally_web.requests.query import MAX_PAGE_FRAMES, MODEL

BOOKS = Routes("Books")
_RUNS = page_limit(10, run_list.MOST_RUNS, "Maximum number in the answer")
_LETTERS = page_limit(24, MAX_PAGE_FRAMES, "Maximum number in the answer")
_CAUSE = choice("cause", "Only those with this cause; default: all.", ("", *get_args(Cause)), "checksum")


class BookRoutes(Handlers):
    """The handlers, over the ports and what is read in the background."""

    @BOOKS.route("GET runs", "List the latest runs with their quality reports.", MODEL, _RUNS)
    def runs(self, args: Args) -> answers.Runs:
        """List the last runs."""
        limit = _RUNS.read(args)
        return run_list.list_runs(self.ports, model=MODEL.read(args), limit=limit)

    @BOOKS.route("GET status", "Show the books: what was announced, detected, counted and indexed.")
    def status(self, _: Args) -> answers.Books:
        """Answer with the books."""
        return status.answer(self.books.reading())

    @BOOKS.route(
        "GET dead-letters",
        "List frames that could not be analysed: the picture, the cause, and the remedy.",
        _CAUSE,
        _LETTERS,
    )
    def dead_letters(self, args: Args) -> answers.DeadLetterFrames:
        """List what could not be analysed."""
        cause, limit = _CAUSE.read(args), _LETTERS.read(args)
        return dead_letters.list_dead_letters(
            self.ports,
            self.settings,
            self.books.reading().status.model,
            cause=cause or None,
            limit=limit,
            image_url=image_url,
        )
