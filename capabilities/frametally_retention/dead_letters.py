"""Settles old dead letters, as `frametally dead-letters drop` does, so that their frames may go too."""

from __future__ import annotations

from collections.abc import Iterator

from frametally import keys
from frametally.media.kept_data import KeptItem, KeptKind
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally.segments.contents import read_segment
from frametally.undo_records import DroppedDeadLetter

DEAD_LETTERS = "dead-letters"


def dead_letters(store: ObjectStore, ledger: Ledger) -> KeptKind:
    """Return the open dead letters; removing one settles it. Their lines stay in the segments."""

    def items() -> Iterator[KeptItem]:
        for model in ledger.models():
            for dead in ledger.dead_frames(model):
                at_ms = dead.captured_at_ms
                yield KeptItem(f"{dead.segment}#{dead.offset}", dead.source, dead.put_at_ms, 0, at_ms, at_ms)

    def settle(item: KeptItem) -> None:
        segment, _, offset = item.id.rpartition("#")
        record = DroppedDeadLetter(segment=segment, offset=int(offset))
        store.put(record.key, encode(record), if_absent=True)

    return KeptKind(DEAD_LETTERS, items, settle)


def settled_frames(store: ObjectStore, ledger: Ledger) -> set[str]:
    """Return the keys of the frames whose dead letters are settled.

    Raises:
        Poison: A segment with dead letters is damaged.
    """
    dropped = {info.key for info in store.list(keys.DROPPED)}
    return {
        letter.image_path
        for key in (ledger.segments_with_dead_letters() if dropped else ())
        for letter in read_segment(store, key).dead_letters()
        if letter.image_path and keys.dropped_key(keys.dead_letter_id(key, letter.offset)) in dropped
    }
