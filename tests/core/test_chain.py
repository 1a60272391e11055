"""The segments of a partition form one chain, even with several writers."""

import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_frame, make_segment

from frametally import keys
from frametally.records import DeadLetter, FrameDetections
from frametally.segments.chain import ChainBroken, ChainEnd, SegmentChain, logs_with_segments
from frametally.segments.contents import CutShort, list_segments, read_segment

MODEL, LOG, TOPIC = "pixels-1", "log-1", "frames"


def path(offset: int) -> str:
    return keys.image_key("cam", 1_000 * offset, "ab" * 32, offset)


def frame(offset: int) -> FrameDetections:
    return make_frame(1_000 * offset, offset, model=MODEL)


def chain(store: MemoryStore, log_id: str = LOG, partition: int = 0) -> SegmentChain:
    return SegmentChain(store, model=MODEL, log_id=log_id, topic=TOPIC, partition=partition)


def put(worker: SegmentChain, first: int, nxt: int) -> tuple[int, bool]:
    return worker.put(
        first_offset=first,
        next_offset=nxt,
        frames=[frame(offset) for offset in range(first, nxt)],
        dead_letters=[],
        image_paths={offset: path(offset) for offset in range(first, nxt)},
    )


def test_a_worker_that_loses_the_race_adopts_the_winners_segment(store: MemoryStore) -> None:
    assert put(chain(store), 0, 3) == (3, False)
    assert put(chain(store), 0, 5) == (3, True)
    assert put(chain(store), 0, 2) == (3, True)
    assert len(list(list_segments(store))) == 1


def test_a_worker_continues_after_an_uncommitted_segment_of_a_dead_one(store: MemoryStore) -> None:
    for first, nxt in ((0, 3), (3, 4), (4, 9)):
        put(chain(store), first, nxt)
    for committed in (0, 3, 9):
        assert chain(store).resume(committed) == ChainEnd(9, None)


def test_a_commit_in_the_middle_of_a_segment_continues_at_its_end(store: MemoryStore) -> None:
    put(chain(store), 0, 10)
    assert chain(store).resume(4) == ChainEnd(10, None)


def test_a_commit_above_the_chain_goes_back_to_its_end(store: MemoryStore) -> None:
    assert chain(store).resume(12) == ChainEnd(0, None)
    put(chain(store), 0, 10)
    assert chain(store).resume(12) == ChainEnd(10, None)


def test_a_chain_without_its_beginning_is_completed_only_up_to_what_exists(store: MemoryStore) -> None:
    for first, nxt in ((0, 4), (4, 8), (8, 9)):
        put(chain(store), first, nxt)
    store.delete(next(list_segments(store)))
    assert chain(store).resume(9) == ChainEnd(0, 4)
    put(chain(store), 0, 4)
    assert chain(store).resume(4) == ChainEnd(9, None)


def test_logs_are_listed_whatever_their_names_are(store: MemoryStore) -> None:
    for log_id in ("a", "a-b", "b"):
        for first in (0, 3):
            put(chain(store, log_id=log_id), first, first + 3)
    assert sorted(logs_with_segments(store, MODEL, TOPIC)) == ["a", "a-b", "b"]
    assert logs_with_segments(store, "another-model", TOPIC) == []


def test_a_log_of_another_topic_is_not_an_earlier_log_of_this_one(store: MemoryStore) -> None:
    put(chain(store), 0, 3)
    assert logs_with_segments(store, MODEL, f"redetect-{MODEL}") == []


def test_a_recreated_log_starts_a_chain_of_its_own_and_partitions_do_not_mix(store: MemoryStore) -> None:
    put(chain(store), 0, 10)
    assert chain(store, log_id="log-2").resume(0) == ChainEnd(0, None)
    assert chain(store, partition=1).resume(0) == ChainEnd(0, None)
    assert put(chain(store, log_id="log-2"), 0, 4) == (4, False)


def test_a_batch_without_a_good_frame_still_becomes_a_segment(store: MemoryStore) -> None:
    letters = [DeadLetter(offset=0, message=b"?", stage="parse", reason="not JSON")]
    result = chain(store).put(
        first_offset=0, next_offset=1, frames=[], dead_letters=letters, image_paths={0: None}
    )
    assert result == (1, False)
    assert read_segment(store, next(list_segments(store))).dead_letters() == letters


def test_the_winners_dead_letter_accounts_for_the_losers_frame(store: MemoryStore) -> None:
    letters = [DeadLetter(offset=0, message=b"?", stage="fetch", reason="the object was not there")]
    chain(store).put(first_offset=0, next_offset=1, frames=[], dead_letters=letters, image_paths={0: path(0)})
    assert put(chain(store), 0, 1) == (1, True)


def test_a_winning_segment_that_lacks_a_message_is_never_adopted(store: MemoryStore) -> None:
    other = [frame(100), frame(101)]
    data = make_segment(other, model=MODEL, log_id=LOG, topic=TOPIC)
    store.put(keys.segment_key(MODEL, LOG, TOPIC, 0, 0), data)
    with pytest.raises(ChainBroken, match="has no entry for offset 0"):
        put(chain(store), 0, 2)


@pytest.mark.parametrize("cut", [1, 400, -1, -30])
def test_a_segment_that_does_not_parse_stops_the_partition_with_a_remedy(
    cut: int, store: MemoryStore
) -> None:
    put(chain(store), 0, 3)
    key = next(list_segments(store))
    store.put(key, store.get(key)[:cut])
    with pytest.raises(ChainBroken, match="move that object out of metadata/"):
        put(chain(store), 0, 3)


@pytest.mark.parametrize("short_reads", [2, 3])
def test_a_truncated_segment_is_read_three_times_before_it_is_believed(short_reads: int) -> None:
    class Hasty(MemoryStore):
        reads = 0

        def get(self, key: str) -> bytes:
            self.reads += 1
            return super().get(key)[: 40 if self.reads <= short_reads else None]

    store = Hasty()
    worker = chain(store)
    put(worker, 0, 3)
    key = keys.segment_key(MODEL, LOG, TOPIC, 0, 0)
    if short_reads == 2:
        assert len(list(worker._read(key).frames())) == 3
    else:
        with pytest.raises(CutShort):
            worker._read(key)
    assert store.reads == 3


def test_another_logs_segment_under_this_logs_key_is_never_adopted(store: MemoryStore) -> None:
    put(chain(store, log_id="log-2"), 0, 3)
    store.put(keys.segment_key(MODEL, LOG, TOPIC, 0, 0), store.get(next(list_segments(store))))
    for action in (lambda: put(chain(store), 0, 3), lambda: chain(store).resume(0)):
        with pytest.raises(ChainBroken, match="put it back"):
            action()
