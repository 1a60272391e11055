"""What was made of a video: which there is of it, and how one is removed."""

from __future__ import annotations

from typing import get_args

from frametally import keys
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import decode_at
from frametally_videos.media_records import Derivative, DerivativeKind
from frametally_videos.ports.video_catalogue import VideoCatalogue, VideoRow

KINDS: tuple[DerivativeKind, ...] = get_args(DerivativeKind)


def find_derivatives(store: ObjectStore, row: VideoRow) -> list[Derivative]:
    """Return what the store knows of all that was made of a video, in the order in which it was made.

    Raises:
        Retryable: The store is away.
        Poison: A record is damaged.
    """
    found = []
    for one in row.artifacts:
        kind = next((kind for kind in KINDS if kind == one.kind), None)
        if kind is not None:
            key = keys.derivative_record_key(row.record.id, kind, one.recipe)
            try:
                found.append(decode_at(key, store.get(key), Derivative))
            except ObjectMissing:  # it is being removed
                continue
    return found


def remove_derivative(store: ObjectStore, catalogue: VideoCatalogue, video_id: str, recipe: str) -> None:
    """Remove what was made of a video by a recipe; what is not there is no error.

    The catalogue forgets it last: killed before, whoever asks again ends it.

    Raises:
        Retryable: The store or the catalogue is away.
        Misconfigured: This user may not write there.
    """
    for kind in KINDS:
        file_key = keys.derivative_key(video_id, kind, recipe)
        store.delete(keys.derivative_record_key(video_id, kind, recipe))
        store.delete(file_key)
        catalogue.remove_artifact(video_id, file_key)
