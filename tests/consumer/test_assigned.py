"""A partition whose chain lacks a piece: it is completed up to the segment that is there, and no further."""

import pytest
from tests.fakes.memory import MemoryStore

from frametally.records import DeadLetter
from frametally.segments.chain import ChainEnd, SegmentChain
from frametally_consumer.worker.assigned import AssignedPartition


def assigned_at(place: ChainEnd, *, log_begin: int = 0) -> AssignedPartition:
    chain = SegmentChain(MemoryStore(), model="m-1", log_id="log", topic="frames", partition=0)
    assigned = AssignedPartition(0, chain, log_begin=log_begin)
    assigned.start_at(place)
    assigned.seek_to = None  # the log has been told
    return assigned


def outcome(offset: int) -> DeadLetter:
    return DeadLetter(offset=offset, message=b"", source=None, image_path=None, stage="parse", reason="none")


def take(assigned: AssignedPartition, *offsets: int) -> None:
    for offset in offsets:
        assert assigned.wants(offset)
        assigned.take(offset)


def whole_batch(assigned: AssignedPartition) -> tuple[int, int, list[int]] | None:
    batch = assigned.next_batch(batch_frames=100, batch_s=1000.0, everything=True)
    return batch and (batch.first_offset, batch.next_offset, list(batch.outcomes))


@pytest.mark.parametrize("detected_before_the_jump", [0, 1, 3])
def test_a_log_that_jumps_past_the_limit_ends_the_batch_at_the_limit(detected_before_the_jump: int) -> None:
    assigned = assigned_at(ChainEnd(0, 6))
    take(assigned, 0, 1, 2)
    for offset in range(detected_before_the_jump):
        assigned.add(offset, outcome(offset))
    assert not assigned.wants(9), "what lies above the limit stands in a segment, or comes after it"
    for offset in range(detected_before_the_jump, 3):
        assert assigned.arrived_to != 6, "what is still being detected is not there yet"
        assigned.add(offset, outcome(offset))
    assert assigned.arrived_to == 6
    assert whole_batch(assigned) == (0, 6, [0, 1, 2])
    assigned.advance(6)
    assert assigned.at_limit
    assert assigned.seek_to is None, "the log has given all that is below the limit"
    assert not assigned.settled, "the chain goes on behind the segment that was there"


def test_a_log_that_has_nothing_at_all_below_the_limit_gives_a_batch_without_a_message() -> None:
    assigned = assigned_at(ChainEnd(2, 6))
    assert not assigned.wants(9)
    assert whole_batch(assigned) == (2, 6, [])


def test_a_jump_is_made_only_behind_the_batch_that_was_under_way() -> None:
    assigned = assigned_at(ChainEnd(0, 6))
    take(assigned, 0, 1)
    assigned.add(0, outcome(0))
    assert whole_batch(assigned) == (0, 1, [0])
    assert not assigned.wants(9)
    assigned.advance(1)
    assert whole_batch(assigned) is None
    assigned.add(1, outcome(1))
    assert whole_batch(assigned) == (1, 6, [1])


def test_a_jump_follows_another_workers_segment_that_reached_as_far_as_the_log_had_messages() -> None:
    assigned = assigned_at(ChainEnd(0, 6))
    take(assigned, 0, 1)
    assigned.add(0, outcome(0))
    assert whole_batch(assigned) == (0, 1, [0])
    assert not assigned.wants(9)
    assigned.advance(2)  # the one that was there instead of ours
    assert whole_batch(assigned) == (2, 6, [])
