"""Producing pictures: each is a frame, and those of one source and UTC day share a manifest."""

from __future__ import annotations

from pathlib import Path

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.records import FrameAnnouncement, MediaManifest, TimeSource
from frametally_producer.event_time import EventTime, TimeClues, find_event_time
from frametally_producer.footage import PicturesToProduce
from frametally_producer.frames import FrameWriter, NewFrame
from frametally_producer.manifest import (
    ManifestKeeper,
    load_manifest,
    picture_name,
    pictures_identity,
    weaker,
)
from frametally_producer.media_file import open_medium, sha256_of, why_unreadable
from frametally_producer.picture_file import PictureHeader, read_header, read_pixels
from frametally_producer.production import Production, Remarks
from frametally_producer.sampling import ALL


def produce_pictures(pictures: PicturesToProduce, production: Production) -> None:
    """Store and announce what is new of `pictures`; bad ones are set aside.

    Raises:
        Retryable: The store or the log is away.
        Misconfigured: The store, the log or the folder of extracted pictures cannot be written.
    """
    settings, store, log = production.settings, production.store, production.log
    days = _Days(pictures, production)
    with FrameWriter(settings=settings, store=store, log=log, on_announced=days.note) as writer:
        for done, path in enumerate(pictures.paths):
            production.progress.update(done, len(pictures.paths), pictures.name)
            try:
                frame = days.new_frame(path)
            except Poison as error:
                production.skip(str(path), str(error))
            except OSError as error:
                production.skip(str(path), why_unreadable(error))
            else:
                if frame is not None:
                    writer.add(frame)
    production.progress.update(len(pictures.paths), len(pictures.paths), pictures.name)
    days.complete()


class _Day:
    """One day's manifest, and the names of the pictures that this call adds to it."""

    def __init__(self, keeper: ManifestKeeper) -> None:
        self.keeper = keeper
        self.new: set[str] = set()
        self._known = len(keeper.pictures)

    @property
    def expected(self) -> int:
        return self._known + len(self.new)


class _Days:
    """The days that one source's pictures fall on, by the identity of their manifests."""

    def __init__(self, pictures: PicturesToProduce, production: Production) -> None:
        self._pictures = pictures
        self._production = production
        self._source = keys.slug(pictures.source_name)
        self._remarks = Remarks()
        self._days: dict[str, _Day] = {}

    def new_frame(self, path: Path) -> NewFrame | None:
        """The frame that the picture at `path` makes, or None if that frame is there already.

        Raises:
            Poison: No picture, a bad one, or one without a time.
            OSError: It cannot be read.
        """
        production = self._production
        with open_medium(path) as file:
            header = read_header(file, max_pixels=production.max_pixels)
            time = self._find_time(path, header)
            file_sha256 = sha256_of(file)
            name = picture_name(keys.image_key(self._source, time.at_ms, file_sha256, 0))
            day = self._day(time)
            if name in day.keeper.pictures:
                production.frames_known += 1
                return None
            if name in day.new:  # the same picture of the same time, twice in the folder
                return None
            pixels = read_pixels(file, header, max_pixels=production.max_pixels)
        self._take(day, name, path, time)
        return NewFrame(
            media=day.keeper.manifest.sha256,
            file_sha256=file_sha256,
            source=self._source,
            frame_index=0,
            captured_at_ms=time.at_ms,
            time_source=time.time_source,
            pixels=pixels,
            keep_in=production.extracted_dir and production.extracted_dir / self._source,
        )

    def note(self, announcements: list[FrameAnnouncement]) -> None:
        """These have been announced."""
        for announcement in announcements:
            self._days[announcement.media].keeper.note([announcement])
        for day in self._days.values():
            if day.new:
                day.keeper.write_if_due(expected=day.expected)
        self._production.frames_announced += len(announcements)

    def complete(self) -> None:
        """All pictures have been announced."""
        for sha256, day in self._days.items():
            if day.new or (day.keeper.pictures and day.keeper.manifest.state == "producing"):
                day.keeper.write()
            if day.keeper.pictures:
                self._production.media[sha256] = day.keeper.manifest
        self._remarks.tell(self._production)

    def _find_time(self, path: Path, header: PictureHeader) -> EventTime:
        clues = TimeClues(
            path=path,
            recorded=header.recorded,
            recorded_in="exif",
            modified_ns=path.stat().st_mtime_ns,
            duration_ms=0,
        )
        return find_event_time(clues, settings=self._production.settings)

    def _day(self, time: EventTime) -> _Day:
        media = pictures_identity(self._source, keys.utc_day(time.at_ms))
        if media not in self._days:
            manifest = load_manifest(self._production.store, media)
            if manifest is None:
                manifest = self._new_manifest(media, time.time_source)
            self._days[media] = _Day(ManifestKeeper(self._production.store, manifest))
        return self._days[media]

    def _take(self, day: _Day, name: str, path: Path, time: EventTime) -> None:
        keeper = day.keeper
        time_source = weaker(keeper.manifest.time_source, time.time_source)
        keeper.manifest = msgspec.structs.replace(keeper.manifest, time_source=time_source)
        day.new.add(name)
        if len(day.new) == 1:
            keeper.write(expected=day.expected)
        for remark in time.remarks:
            self._remarks.add(str(path), remark)

    def _new_manifest(self, sha256: str, time_source: TimeSource) -> MediaManifest:
        return MediaManifest(
            sha256=sha256,
            name=self._pictures.name,
            source=self._source,
            source_name=self._pictures.source_name,
            kind="pictures",
            time_source=time_source,
            sampling=ALL,
            frames_expected=0,
            frames_put=0,
            frames_announced=0,
            state="producing",
        )
