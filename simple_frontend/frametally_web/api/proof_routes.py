"""The routes of the proof: the frames, boxes and objects behind numbers."""

from __future__ import annotations

import hashlib
from typing import get_args

from frametally.actions.calls import Reply
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, choice, page_cursor, text
from frametally.actions.problems import bad_parameter
from frametally.errors import Poison
from frametally.keys import check_image_key
from frametally.ports.object_store import ObjectMissing
from frametally_web.access.visitors import visitor
from frametally_web.books.context import Handlers
from frametally_web.charts.local_bars import SECOND_S
from frametally_web.charts.question import Question, check_names
from frametally_web.proof import answers, evidence_frames, frames, gap, objects
from frametally_web.proof.frames import find_frame
from frametally_web.proof.picture_links import LINK_S, WIDTH, no_such_frame, picture_link, smaller
from frametally_web.requests.query import (
    AT,
    BASE,
    LABEL,
    MODEL,
    PAGE_LIMIT,
    PARTS,
    SELECTION,
    SOURCE_OF_GAP,
    TIMEZONE,
    ChartQuery,
    read_gap,
    read_selection,
)

PROOF = Routes("Proof", by_source=True)

_IMAGE_CACHE = "private, max-age=31536000, immutable"
_PATH = text(
    "path",
    "`image_path` from another response.",
    "images/gate/2024-05-01/1714550400200-0123456789ab-0.jpg",
    required=True,
)
_FRAMES_CURSOR = page_cursor(frames.FramesCursor)
_OBJECTS_CURSOR = page_cursor(objects.ObjectsCursor)
_START = choice(
    "start",
    "`peak`: the first page begins with the frame that has most of one label, and also has `previous`.",
    get_args(frames.Start),
    "peak",
)
_EMPTY = choice("empty", "`1`: include analysed frames without a counted box.", ("", "1"), "1")


class ProofRoutes(Handlers):
    """The handlers, over the ports and the data read in the background."""

    @PROOF.route("GET evidence", "Show the busiest frame per label.", *SELECTION, tells_version=True)
    def evidence(self, args: Args) -> answers.EvidenceFrames:
        self.books.ensure_ledger()
        return evidence_frames.find_evidence(self.ports, self._ask(args))

    @PROOF.route(
        "GET frames",
        "List every frame behind a bar, with a running sum.",
        *SELECTION,
        PAGE_LIMIT,
        _FRAMES_CURSOR,
        _START,
        _EMPTY,
    )
    def frames(self, args: Args) -> answers.Frames:
        self.books.ensure_ledger()
        return frames.find_frames(
            self.ports,
            self._ask(args),
            limit=PAGE_LIMIT.read(args),
            cursor=_FRAMES_CURSOR.read(args),
            start=_START.read(args),
            empty=_EMPTY.read(args) == "1",
        )

    @PROOF.route(
        "GET objects", "List every unique object behind a bar.", *SELECTION, PAGE_LIMIT, _OBJECTS_CURSOR
    )
    def objects(self, args: Args) -> answers.Objects:
        return objects.find_objects(
            self.ports.store,
            self._ask(args),
            limit=PAGE_LIMIT.read(args),
            cursor=_OBJECTS_CURSOR.read(args),
        )

    @PROOF.route(
        "GET gap",
        "Show why a source has no footage at a moment: start and end of the gap, the frames at both ends, "
        "the books.",
        SOURCE_OF_GAP,
        AT,
        MODEL,
        TIMEZONE,
        BASE.but(description="`1` for a chart by the second; any other value changes nothing."),
        *PARTS,
    )
    def gap(self, args: Args) -> answers.FootageGap:
        selection, at_ms = read_gap(args, self.settings)
        self.books.ensure_ledger()
        question = self.context.ask(ChartQuery(selection))
        return gap.find_gap(self.ports, question, at_ms, by_second=BASE.read(args) == SECOND_S)

    @PROOF.route(
        "GET frames/boxes",
        "Return a frame with the boxes that a model counted in it.",
        _PATH,
        LABEL,
        MODEL,
        BASE,
        statuses=(404,),
    )
    def frames_boxes(self, args: Args) -> answers.FrameOfModel:
        selection, key = read_selection(args, self.settings), _read_path(args)
        check_names(self.ports.index, selection, self.books.media().sources)
        self.books.ensure_ledger()
        return find_frame(self.ports, self.settings, selection, key)

    @PROOF.route(
        "GET frames/image",
        "Return a frame's JPEG.",
        _PATH,
        WIDTH,
        media_types=("image/jpeg",),
        statuses=(404,),
    )
    def frames_image(self, args: Args) -> Reply:
        width, key, store = WIDTH.read(args), _read_path(args), self.ports.store
        # The store has no smaller ones: they come from here, even if browsers get the frames from the store.
        if not width and (link := picture_link(store, self.settings, key)):
            # Cached for less time than the link is valid: otherwise a browser may use an expired link.
            caching = f"private, max-age={LINK_S // 2}"
            return Reply(status=302, headers={"Location": link, "Cache-Control": caching})
        try:
            jpeg = store.get(key)
        except ObjectMissing as error:
            raise no_such_frame() from error
        if width:
            jpeg = smaller(jpeg, int(width))
        etag = hashlib.sha256(jpeg).hexdigest()
        return Reply(jpeg, "image/jpeg", headers={"Cache-Control": _IMAGE_CACHE}, etag=etag)

    def _ask(self, args: Args) -> Question:
        return self.context.ask(ChartQuery(read_selection(args, self.settings)), by_second=True)


def _read_path(args: Args) -> str:
    """Read the key of a frame."""
    try:
        key = check_image_key(_PATH.read(args) or "")
    except Poison as error:
        raise bad_parameter(
            "path",
            "path is not the key of a frame.",
            remedy="Use an image_path from another response: images/<source>/<day>/<name>.jpg.",
        ) from error
    if not visitor().sees(key.split("/")[1]):
        raise no_such_frame()
    return key
