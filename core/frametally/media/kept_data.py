"""Lists where frametally keeps bytes that show or name people, for everything that must know each place.

Erasures, retention, legal holds, the report on privacy, `doctor --deep` and privacy rules read `kept_parts`.
The mission declares its places here, and each plug-in declares its own by the hook `data_places`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from frametally import keys
from frametally.files.temporary import abandoned_folders, remove_if_abandoned
from frametally.packs.packed_store import plain_of
from frametally.plugins import hooks
from frametally.ports.opened import StorePorts
from frametally.settings.data_folder import store_folder
from frametally.settings.loading import Settings

_STAGING = re.compile(r"\.([^/]+)\.[0-9a-f]{8}$")
"""A file that a process was replacing when it was killed."""
_BESIDE_DATABASE = re.compile(r"-(wal|shm|journal)$")
RemovedBy = Literal["", "rules", "erasures", "all erasures", "recounts"]


class KeptItem(NamedTuple):
    """One removable thing.

    Attributes:
        id: Its name within its kind.
        source: Slug of the source that it shows; empty if it does not show a picture of any.
        stored_at_ms: When it was stored, by the clock of the place that keeps it.
        size_bytes: Its size in the object store; 0 if it is a row of a database.
        from_ms: Event time of its first picture; None if unknown.
        to_ms: Event time of its last picture; None if unknown.
    """

    id: str
    source: str
    stored_at_ms: int
    size_bytes: int
    from_ms: int | None = None
    to_ms: int | None = None


def _no_items() -> Iterable[KeptItem]:
    return ()


def _stays(_: KeptItem) -> None:
    return


class KeptKind(NamedTuple):
    """A place of data, and what is kept there.

    Attributes:
        name: A plural noun, such as `originals`; several places may have data of one kind.
        items: Returns those that may be removed now: nothing still needs them.
        remove: Removes one; removing it again does nothing.
        removed_by: What calls `remove`. `rules`: rules of retention, and erasures of a time that an item
            shows; `erasures`: only these; `all erasures`: every erasure; `recounts`: every erasure of
            counts, after days were counted again. Empty: nothing, as other code removes it or it stays.
        rule: Name of the kind whose rules it follows; empty for its own.
        place: What keeps it: the `store`, the `log`, the `index`, the `ledger`, the `catalogue`, a server
            of a plug-in by its name, or the URL of a folder of this machine.
        files: Patterns of its keys in the store, of its tables in a database, or of its files in the
            folder; empty means all of them.
        text: Key of the text that describes it; empty for those of the mission.
        ends: Key of the text that says when it goes if there are no rules; empty if it stays.
    """

    name: str
    items: Callable[[], Iterable[KeptItem]] = _no_items
    remove: Callable[[KeptItem], object] = _stays
    removed_by: RemovedBy = ""
    rule: str = ""
    place: str = "store"
    files: tuple[str, ...] = ()
    text: str = ""
    ends: str = ""


class KeptTerm(NamedTuple):
    """A rule that says for how long data of a kind stays.

    Attributes:
        kind: A name of a `KeptKind`, or `frames` or `thinning`.
        source: Slug of its source; empty means all sources without their own rule.
        after_ms: Age at which data goes; None if the rule has no age.
        most_bytes: Size up to which the newest data of each source stays; None if the rule has no size.
    """

    kind: str
    source: str
    after_ms: int | None
    most_bytes: int | None


def _no_ranges(_: str) -> list[tuple[int, int]]:
    return []


def _no_holds(_: str, __: int, ___: int, ____: str) -> list[str]:
    return []


class KeptPart(NamedTuple):
    """The result of the hook `data_places`.

    Attributes:
        kinds: What it keeps, by kind and place.
        ranges: Returns the ranges `[from_ms, to_ms)` of a source (a slug) whose pictures must stay.
        holds: Returns the legal holds on a source and `[from_ms, to_ms)`, in words. With an id that is not
            empty, it first records that the data is being removed, so that a later hold says so.
        terms: Returns the rules for how long data stays.
    """

    kinds: Sequence[KeptKind] = ()
    ranges: Callable[[str], list[tuple[int, int]]] = _no_ranges
    holds: Callable[[str, int, int, str], list[str]] = _no_holds
    terms: Callable[[], list[KeptTerm]] = list


def kept_parts(ports: StorePorts) -> list[KeptPart]:
    """Return what the mission and each plug-in keep."""
    return [KeptPart(_kinds_of_mission(ports)), *(places(ports) for places in hooks("data_places"))]


def kinds_in(parts: Iterable[KeptPart], *removed_by: RemovedBy) -> list[KeptKind]:
    """Return the kinds of parts, of these ways to be removed, or all."""
    kinds = [kind for part in parts for kind in part.kinds]
    return [kind for kind in kinds if not removed_by or kind.removed_by in removed_by]


def in_folders(*folders: str) -> tuple[str, ...]:
    """Return the patterns of all keys in folders of the store."""
    return tuple(f"{folder}/*" for folder in folders)


def place_urls(settings: Settings) -> dict[str, str]:
    """Return the URLs of places by their names in `KeptKind.place`."""
    servers = {name: url for urls in hooks("servers") for name, url in urls(settings).items()}
    names = ("store", "log", "index", "ledger", "catalogue")
    return servers | {name: getattr(settings, f"{name}_url") for name in names}


def undeclared(ports: StorePorts) -> Iterator[str]:
    """Yield the keys in the store and the files in the data folder that belong to no declared place."""
    settings, kinds = ports.settings, kinds_in(kept_parts(ports))
    of_store = [pattern for kind in kinds if kind.place == "store" for pattern in kind.files]
    for info in plain_of(ports.store).list(""):
        if not any(fnmatchcase(info.key, pattern) for pattern in of_store):
            yield info.key
    urls = place_urls(settings)
    databases = {url.removeprefix("sqlite:///") for url in urls.values()}
    folders = [(kind.place, kind.files) for kind in kinds if kind.place.startswith("file:")]
    places = [(Path(unquote(urlsplit(url).path)), files) for url, files in folders]
    for path in _files_below(settings.data_dir, but=store_folder(settings)):
        name = _STAGING.sub(r"\1", str(path))
        if _BESIDE_DATABASE.sub("", name) in databases:
            continue
        patterns = [files or ("*",) for folder, files in places if path.is_relative_to(folder)]
        if not any(fnmatchcase(name, f"*/{pattern}") for files in patterns for pattern in files):
            yield str(path)


def _files_below(folder: Path, *, but: Path | None) -> Iterator[Path]:
    """Yield the files of a folder in order, without those of the folder `but`, which may have millions."""
    for name, folders, names in os.walk(folder):
        if Path(name) == but:
            folders.clear()
            continue
        folders.sort()
        yield from filter(Path.is_file, (Path(name, file) for file in sorted(names)))


def _kinds_of_mission(ports: StorePorts) -> list[KeptKind]:
    folder = ports.settings.data_dir

    def abandoned() -> Iterator[KeptItem]:
        for path in abandoned_folders(folder):
            yield KeptItem(str(path), "", 0, sum(file.stat().st_size for file in path.rglob("*")))

    return [
        KeptKind("frames", files=in_folders(keys.IMAGES)),
        KeptKind("boxes", files=in_folders(keys.METADATA)),
        KeptKind("counts", files=in_folders(keys.OUTPUT, keys.HOURS, keys.TRACKS)),
        KeptKind("counts", place="index"),
        KeptKind("announcements", place="log"),
        KeptKind("dead-letters", files=in_folders(keys.DROPPED)),
        KeptKind("backups", files=in_folders(keys.BACKUPS)),
        KeptKind("footage", files=in_folders(*_OF_FOOTAGE)),
        KeptKind("footage", place="ledger"),
        KeptKind("caches", place=folder.as_uri(), files=_CACHES),
        KeptKind(
            "temporary-files",
            abandoned,
            lambda item: remove_if_abandoned(Path(item.id)),
            "all erasures",
            place=(folder / "tmp").as_uri(),
        ),
    ]


_OF_FOOTAGE = (keys.MEDIA, keys.TOMBSTONES, keys.CORRECTIONS, keys.CHANGES, keys.SOURCES, "models")
"""Records of footage and of its corrections, time zones, and tests of networks."""
_CACHES = (
    "*.lock",
    "aggregations.jsonl",
    "manifests-*.jsonl",
    "metrics.json",
    "reserve",
    "seen-files.sqlite*",
)
