"""Produces pictures: each is a frame, and pictures of one source and UTC day share a manifest."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.files.value_ranges import parse_value_range
from frametally.media.manifests import media_of, pictures_identity, weaker
from frametally.records import FrameAnnouncement, MediaManifest
from frametally_producer.reading.event_time import EventTime, TimeClues, find_event_time
from frametally_producer.reading.footage import PicturesToProduce, open_medium, sha256_of, why_unusable
from frametally_producer.reading.pixels import check_sides
from frametally_producer.reading.sampling import ALL
from frametally_producer.writing.frames import FrameWriter, NewFrame
from frametally_producer.writing.manifest import Forgotten, ManifestKeeper, load_manifest, new_manifest
from frametally_producer.writing.production import Outcome, Production, asked_of, cost_of
from frametally_producer.writing.receipt import FileRecord
from frametally_producer.writing.seen_files import Rate, stamp_of

_KEEPS_ITS_TIME = (
    "the same picture was produced with another file date, and keeps its earlier time; `frametally retime` "
    "changes it"
)

_FIRST_ONLY = "frametally counts the first only: save the others as files of their own to count them"


def produce_pictures(pictures: PicturesToProduce, production: Production) -> None:
    """Store and announce the new pictures; set bad ones aside.

    Raises `Poison` if they were forgotten or corrected in the meantime, otherwise as `produce_video`.
    """
    began_s = time.monotonic()
    days = _Days(pictures, production)
    with production.writer(days.note, days.write) as writer:
        for done, path in enumerate(pictures.paths):
            production.go_on()
            production.progress.update(done, len(pictures.paths), pictures.name)
            production.make_room(writer, days.write)
            production.tally.begin(path)
            production.tally.end(_produce_one(path, days, writer, production))
    production.progress.update(len(pictures.paths), len(pictures.paths), pictures.name)
    days.complete()
    if days.frames_new == len(pictures.paths):
        rate = Rate(days.pixels, time.monotonic() - began_s, days.frames_new, days.stored_bytes)
        production.seen.note_rate("pictures", cost_of(production.settings), rate)


def _produce_one(path: Path, days: _Days, writer: FrameWriter, production: Production) -> Outcome:
    try:
        frame = days.new_frame(path)
    except Forgotten:
        raise
    except (Poison, OSError) as error:
        production.skip(str(path), why_unusable(error))
        return "skipped"
    if frame is None:
        return "known"
    writer.add(frame)
    return "finished"


class _Day:
    """One day's manifest, and the names of the pictures that this call adds."""

    def __init__(self, keeper: ManifestKeeper) -> None:
        self.keeper = keeper
        self.new: set[str] = set()
        self.refused = False
        self._known = len(keeper.pictures)

    @property
    def expected(self) -> int:
        return self._known + len(self.new)


class _Days:
    """The days of one source's pictures, by the identity of their manifests."""

    def __init__(self, pictures: PicturesToProduce, production: Production) -> None:
        self._pictures = pictures
        self._production = production
        self._source = production.sources.slug_of(pictures.source_name)
        self._value_range = parse_value_range(production.settings.value_range)
        self._days: dict[str, _Day] = {}
        self._times: dict[str, str] | None = None
        self.frames_new = self.pixels = self.stored_bytes = 0

    def new_frame(self, path: Path) -> NewFrame | None:
        """Return the frame of the picture at `path`, or None if the frame already exists.

        Raises `Poison` if it is not a picture, is bad, or has no time; `OSError` if it cannot be read.
        """
        production, extracted_dir = self._production, self._production.call.extracted_dir
        request = asked_of(production.settings, self._pictures.source_name)
        earlier = production.seen.find(path, stamp_of(path.stat()))
        if earlier is not None and earlier.asked == request and self._is_known(earlier.picture):
            production.frames_known += 1
            self._note_file(path, earlier.picture.partition(" ")[0], is_new=False)
            return None
        with open_medium(path) as file:
            before = os.fstat(file.fileno())
            header = production.pictures.read_header(file, max_pixels=production.max_pixels)
            check_sides(header.width_px, header.height_px, production.settings.max_side_px)
            clues = TimeClues(path, header.statements, "exif", before.st_mtime_ns, 0)
            event_time = find_event_time(clues, settings=production.settings)
            file_sha256 = sha256_of(file)
            day = self._day(event_time)
            medium_hex = keys.picture_hex(file_sha256)
            name = f"{event_time.at_ms}-{medium_hex}"
            known = (
                name if name in day.keeper.pictures else self._known_at_another_time(file_sha256, event_time)
            )
            # It is finished once the manifest has its name, which is checked when the file is seen again.
            production.seen.note_file(
                path,
                before=before,
                after=os.fstat(file.fileno()),
                sha256=file_sha256,
                request=request,
                picture=f"{known or name} {self._identity(known or name)}",
            )
            is_new = known is None and name not in day.new
            self._note_file(path, known or name, is_new=is_new)
            if known is not None:
                if known != name:
                    production.doubts.remark("other file date", path, _KEEPS_ITS_TIME)
                production.frames_known += 1
                return None
            if name in day.new:  # the folder has the same picture of the same time twice
                return None
            pixels = production.pictures.read_pixels(file, header, self._value_range)
        if header.pictures > 1:
            production.doubts.remark(
                "several pictures", path, f"holds {header.pictures} pictures; {_FIRST_ONLY}"
            )
        self._take(day, name, event_time)
        production.doubts.note(path, self._pictures.source_name, event_time, 0)
        self.frames_new += 1
        self.pixels += header.width_px * header.height_px
        return NewFrame(
            media=media_of(day.keeper.manifest),
            medium_hex=medium_hex,
            source=self._source,
            frame_index=0,
            captured_at_ms=event_time.at_ms,
            time_source=event_time.time_source,
            pixels=pixels,
            refused=partial(self._refuse, day, name, path),
            keep_in=extracted_dir and extracted_dir / self._source,
        )

    def _note_file(self, path: Path, name: str, *, is_new: bool) -> None:
        captured_at_ms = int(name.rpartition("-")[0])
        self._production.note_file(path, FileRecord(is_new, self._identity(name), captured_at_ms))

    def _refuse(self, day: _Day, name: str, path: Path, why: str) -> None:
        day.new.discard(name)
        day.refused = True
        self.frames_new -= 1
        self._production.skip(str(path), why)

    def note(self, announcements: list[FrameAnnouncement]) -> None:
        """Note that frames have been announced."""
        for announcement in announcements:
            media = keys.parse_media_id(announcement.media)[0]
            self._days[media].keeper.note([announcement])
            self._production.fresh.add(media)
            self.stored_bytes += announcement.bytes
        self._production.tally.count_announced(len(announcements))
        for day in self._days.values():
            if day.new:
                day.keeper.write_if_due(expected=day.expected)

    def write(self) -> None:
        """Write the manifests with the frames announced so far; more follow."""
        for day in self._days.values():
            if day.new:
                day.keeper.write(expected=day.expected)

    def complete(self) -> None:
        """Finish the manifests: all pictures have been announced."""
        for sha256, day in self._days.items():
            if day.new or day.refused or (day.keeper.pictures and day.keeper.manifest.state == "producing"):
                day.keeper.write()
            if day.keeper.pictures:
                self._production.media[sha256] = day.keeper.manifest

    def _is_known(self, picture: str) -> bool:
        """Return whether a picture that is finished according to the cache is in its manifest."""
        name, _, media = picture.partition(" ")
        if media not in self._days:
            manifest = load_manifest(self._production.store, media, self._production.patience)
            if manifest is None:
                return False
            self._days[media] = self._kept(manifest, is_stored=True)
        return name in self._days[media].keeper.pictures

    def _day(self, event_time: EventTime) -> _Day:
        store, patience = self._production.store, self._production.patience
        media = pictures_identity(self._source, keys.utc_day(event_time.at_ms))
        if media not in self._days:
            manifest = load_manifest(store, media, patience)
            is_stored = manifest is not None
            if manifest is None:
                manifest = new_manifest(
                    store,
                    patience,
                    sha256=media,
                    name=self._pictures.name,
                    source=self._source,
                    source_name=self._pictures.source_name,
                    kind="pictures",
                    time_source=event_time.time_source,
                    sampling=ALL,
                )
            self._days[media] = self._kept(manifest, is_stored=is_stored)
        return self._days[media]

    def _kept(self, manifest: MediaManifest, *, is_stored: bool) -> _Day:
        production = self._production
        keeper = ManifestKeeper(production.store, manifest, production.patience, is_stored=is_stored)
        return _Day(keeper)

    def _take(self, day: _Day, name: str, event_time: EventTime) -> None:
        keeper = day.keeper
        time_source = weaker(keeper.manifest.time_source, event_time.time_source)
        keeper.manifest = msgspec.structs.replace(keeper.manifest, time_source=time_source)
        day.new.add(name)
        if len(day.new) == 1:
            keeper.write(expected=day.expected)
        if self._times is not None:
            self._times.setdefault(name.rpartition("-")[2], name)

    def _identity(self, name: str) -> str:
        """Return the identity of the manifest that has a picture with a name."""
        return pictures_identity(self._source, keys.utc_day(int(name.rpartition("-")[0])))

    def _known_at_another_time(self, file_sha256: str, event_time: EventTime) -> str | None:
        """Return the picture's name at another time if its time is a file date, which copying changes."""
        if event_time.time_source != "file_time":
            return None
        if self._times is None:
            self._times = self._read_times()
        return self._times.get(keys.picture_hex(file_sha256))

    def _read_times(self) -> dict[str, str]:
        """Return the names of all pictures of the source, by the hex of their files in their keys."""
        store, patience = self._production.store, self._production.patience
        manifests, _ = patience.until_done("the object store", self._production.manifests.read)
        times: dict[str, str] = {}
        for listed in manifests:
            if listed.kind == "pictures" and listed.source == self._source:
                manifest = load_manifest(store, listed.sha256, patience)
                for name in manifest.announced_pictures if manifest else ():
                    times.setdefault(name.rpartition("-")[2], name)
        return times
