"""Finds the media for a path, the beginning of a sha256, or a source's name."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from frametally import keys
from frametally.errors import Misconfigured
from frametally.files.names import as_text
from frametally.media.erasing import UNNAMED_REMEDY
from frametally.media.manifests import list_manifests, track_identity
from frametally.media.stored_images import announced_images
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.records import MediaManifest
from frametally.rules.times import utc

_SHA256_PREFIX = re.compile(r"[0-9a-f]{6,64}")


def find_media(store: ObjectStore, medium: str) -> list[MediaManifest]:
    """Find the media that `medium` names: a path given to `produce`, a folder of such paths, a file that was
    moved since, or a sha256 or at least its first 6 characters.

    Raises:
        Misconfigured: There is no such medium.
    """  # noqa: D205 - a list of ways
    manifests = list_manifests(store)
    absolute = Path(medium).absolute()
    medium = as_text(medium)
    folder = medium.rstrip("/") + "/"
    path = as_text(absolute)
    media = [m for m in manifests if m.name == medium or as_text(Path(m.name).absolute()) == path]
    media = media or [m for m in manifests if m.name.startswith(folder)]
    if not media and _SHA256_PREFIX.fullmatch(medium):
        media = [m for m in manifests if m.sha256.startswith(medium)]
        if len(media) > 1:
            raise Misconfigured(
                f"{len(media)} recordings begin with {medium}: {_names_of(media)}; give more characters"
            )
    if not media and absolute.is_file():
        sha256 = _sha256_of(absolute)
        media = [m for m in manifests if m.sha256 in (sha256, track_identity(sha256, m.track))]
    if not media:
        raise Misconfigured(
            f"no footage named {medium!r} has been produced; give the path that you gave to "
            "`frametally produce`, or the beginning of its sha256, which is the name of its manifest in the "
            "store's folder media/"
        )
    return media


def find_pictures(
    store: ObjectStore, paths: Sequence[str]
) -> dict[str, tuple[MediaManifest, keys.ImageName]]:
    """Find stored pictures by their files: return the manifest and name of each, by its path.

    Paths of other files, and those without a file, are left out.

    Raises:
        Misconfigured: A file cannot be read, or several sources or times have the picture.
    """
    files = {path: Path(path).absolute() for path in paths if Path(path).is_file()}
    if not files:
        return {}
    manifests = list_manifests(store)
    videos = {as_text(Path(manifest.name).absolute()) for manifest in manifests if manifest.kind == "video"}
    sha256s = {path: _sha256_of(file) for path, file in files.items() if as_text(file) not in videos}
    pictures: defaultdict[str, list[tuple[MediaManifest, keys.ImageName]]] = defaultdict(list)
    for manifest in manifests:
        if manifest.kind == "pictures":
            for name in announced_images(store, manifest):
                pictures[name.medium_hex].append((manifest, name))
    result = {}
    for path, sha256 in sha256s.items():
        matches = pictures[keys.picture_hex(sha256)]
        if len(matches) > 1:
            times = ", ".join(
                f"{utc(name.captured_at_ms)} of {manifest.source_name}" for manifest, name in matches
            )
            detail = f"{as_text(path)} was produced {len(matches)} times ({times})"
            raise Misconfigured(detail, "forget the others, or give --source to correct all of a source")
        if matches:
            result[path] = matches[0]
    return result


def one_medium(media: Sequence[MediaManifest], medium: str) -> MediaManifest:
    """Return the only medium found. Raises `Misconfigured` if there are several."""
    if len(media) > 1:
        raise Misconfigured(
            f"{medium} matches {len(media)} recordings: {_names_of(media)}; give the sha256 of one of them"
        )
    return media[0]


def check_distinct(media: Sequence[MediaManifest], medium: str) -> None:
    """Raise `Misconfigured` if `medium` names several videos, which only their sha256 distinguishes."""
    if len(media) > 1 and all(
        manifest.kind == "video" and manifest.name == media[0].name for manifest in media
    ):
        commands = ", or ".join(
            f"`frametally forget {manifest.sha256[:12]}` (source {manifest.source_name}, "
            f"{plural(manifest.frames_announced, 'frame')} from {utc(manifest.first_captured_at_ms or 0)})"
            for manifest in media
        )
        raise Misconfigured(f"{medium} is the name of {len(media)} recordings; choose one: {commands}")


def media_of_source(store: ObjectStore, source: str) -> list[MediaManifest]:
    """Return the media of a source by its display name, or else by its slug.

    Raises:
        Misconfigured: The source has no media.
    """
    manifests = list_manifests(store)
    slug = keys.slug(source)
    media = [m for m in manifests if m.source == slug]
    if not media:
        sources = ", ".join(sorted({as_text(m.source_name) for m in manifests})) or "none"
        left = next(iter(store.list(f"{keys.IMAGES}/{slug}")), None)
        hint = "" if left is None else f"; pictures left behind: {UNNAMED_REMEDY}"
        raise Misconfigured(
            f"no footage from source {as_text(source)!r} has been produced", f"sources: {sources}{hint}"
        )
    return media


def _names_of(manifests: Sequence[MediaManifest]) -> str:
    return ", ".join(f"{m.sha256[:12]} ({m.name}, {m.source})" for m in manifests[:10])


def _sha256_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Misconfigured(
            f"{as_text(path)} cannot be read ({error.strerror}): give a file that this user can read"
        ) from error
