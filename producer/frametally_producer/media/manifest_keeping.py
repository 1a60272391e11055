"""A video's manifest taken up: a new one begun, or a known one gone on with."""

from __future__ import annotations

import msgspec

from frametally.media.manifests import next_revision
from frametally.ports.object_store import ObjectStore
from frametally.process.retrying import Patience
from frametally.records import MediaManifest, TimeSource
from frametally_producer.reading.sampling import denser
from frametally_producer.writing.manifest import ManifestKeeper


def begin_video(
    store: ObjectStore,
    patience: Patience,
    *,
    sampling: str,
    sha256: str,
    name: str,
    source: str,
    source_name: str,
    time_source: TimeSource,
    start_ms: int,
) -> ManifestKeeper:
    """Return the keeper of a video that has no manifest; see `MediaManifest`. Raises `GivenUp`."""
    manifest = MediaManifest(
        sha256=sha256,
        name=name,
        source=source,
        source_name=source_name,
        kind="video",
        time_source=time_source,
        sampling=sampling,
        start_ms=start_ms,
        frames_expected=0,
        frames_put=0,
        frames_announced=0,
        state="producing",
        revision=patience.until_done("the object store", lambda: next_revision(store, sha256)),
    )
    return ManifestKeeper(store, manifest, patience, samplings={sampling}, is_stored=False)


def go_on_with(
    known: MediaManifest, store: ObjectStore, patience: Patience, *, sampling: str
) -> ManifestKeeper | None:
    """Return the keeper of a video that has a manifest; None if nothing of it is missing."""
    sampling = denser(known.sampling, sampling)
    if known.state == "complete" and sampling == known.sampling:
        return None
    # What a call that was cut short had been asked for is finished, whatever is asked for now.
    samplings = {sampling} if known.state == "complete" else {sampling, known.sampling}
    manifest = msgspec.structs.replace(known, sampling=sampling)
    return ManifestKeeper(store, manifest, patience, samplings=samplings, is_stored=True)
