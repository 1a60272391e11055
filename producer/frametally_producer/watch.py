"""Watching folders: whatever comes to lie there is produced, once it has stopped growing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.backfill import Standing
from frametally.process.reports import Progress, Skipped
from frametally.process.retrying import GivenUp
from frametally_producer.produce import ProduceReport, begin, produce_media, report_of
from frametally_producer.reading.footage import HOLDS_NOTHING, Footage, PicturesToProduce, VideoToProduce
from frametally_producer.reading.media_file import why_unusable
from frametally_producer.writing.production import ProduceCall, Production

_LOOK_EVERY_S = 1.0
_REST_PART = 10
"""After a look round that took long, the watch rests this many times as long."""


class _Sight(NamedTuple):
    """A file as it was seen: its size and date, since when so, and whether it was taken as it is."""

    size_bytes: int
    modified_ns: int
    since_s: float
    taken: bool


def watch(
    call: ProduceCall,
    *,
    store: ObjectStore,
    log: FrameLog,
    progress: Progress,
    on_standing: Callable[[Standing], None] = lambda standing: None,
) -> ProduceReport:
    """Produce what lies in the folders `call.paths` and what comes to lie there, until a stop is asked for.

    A file is taken when its size and date have been the same for `watch_still_s`. A file that changes after
    it was taken is taken again; its bytes differ, so it is another medium, and that is said. A bad file is
    named once, and again only when it has changed. The arguments are those of `produce`.

    Raises:
        Misconfigured: As `produce`; or what is given is no folder, or has a start time.
    """
    if call.start_time:
        raise Misconfigured("--start-time is for one video, and --watch for folders; leave one of them out")
    for folder in call.paths:
        if not folder.is_dir():
            raise Misconfigured(
                f"{folder} is no folder; --watch is for folders, and this one has to be there"
            )
    with begin(call, store=store, log=log, progress=progress, on_standing=on_standing) as production:
        rounds = Rounds(production)
        try:
            while True:
                began_s = time.monotonic()
                produce_media(rounds.ready(call.find_footage(), now_s=began_s), production)
                rounds.name_bad_ones()
                rest_s = min((time.monotonic() - began_s) * _REST_PART, call.settings.watch_still_s)
                production.patience.pause(max(_LOOK_EVERY_S, rest_s))
                production.go_on()
        except GivenUp:
            rounds.name_bad_ones()
        return report_of(production, stopped=False)


class Rounds:
    """What was seen in the rounds so far."""

    def __init__(self, production: Production) -> None:
        """Begin with no file seen."""
        self._production = production
        self._sights: dict[Path, _Sight] = {}
        self._skipped: set[Skipped] = set()
        self._named = 0

    def ready(self, footage: Footage, *, now_s: float) -> list[VideoToProduce | PicturesToProduce]:
        """Return the media whose files have been still for long enough and are not taken yet as they are."""
        self._note_skipped(footage.skipped)
        still_since_s = now_s - self._production.settings.watch_still_s
        before, self._sights = self._sights, {}
        media: list[VideoToProduce | PicturesToProduce] = []
        for medium in footage.media:
            paths = [p for p in medium.paths if self._look_at(p, before, now_s, still_since_s)]
            if paths:
                media.append(
                    medium if isinstance(medium, VideoToProduce) else medium._replace(paths=tuple(paths))
                )
        return media

    def name_bad_ones(self) -> None:
        """Say what was set aside since the last time."""
        skipped = self._production.skipped
        for item in skipped[self._named :]:
            self._production.progress.say(f"skipped {item.name}: {item.reason}")
        self._named = len(skipped)

    def _look_at(self, path: Path, before: dict[Path, _Sight], now_s: float, still_since_s: float) -> bool:
        """Note how the file is now; return whether it is to be taken."""
        try:
            status = path.stat()
        except FileNotFoundError:  # it has just gone
            return False
        except OSError as error:
            self._note_skipped([Skipped(str(path), why_unusable(error))])
            return False
        seen = before.get(path)
        sight = _Sight(status.st_size, status.st_mtime_ns, now_s, False)
        if seen is not None and seen[:2] == sight[:2]:
            sight = seen
        elif seen is not None and seen.taken:
            self._production.progress.say(
                f"{path} has changed since it was taken: it is another medium now, and will be taken once it "
                "is still; of a video, what both hold counts once"
            )
        taking = not sight.taken and sight.since_s <= still_since_s
        self._sights[path] = sight._replace(taken=sight.taken or taking)
        return taking

    def _note_skipped(self, skipped: Sequence[Skipped]) -> None:
        for item in skipped:
            if item not in self._skipped and item.reason != HOLDS_NOTHING:
                self._skipped.add(item)
                self._production.skip(*item)
