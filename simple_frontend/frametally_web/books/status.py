"""The answer of `/api/status`, from the books as they were last read."""

from __future__ import annotations

from frametally.books.verdict import WORDS
from frametally.segments.dead_letters import REASONS
from frametally_web.books import answers
from frametally_web.books.reader import Reading


def answer(reading: Reading) -> answers.Books:
    """Return the books as they are answered."""
    status = reading.status
    newest = [line.newest_captured_at_ms for line in status.sources if line.newest_captured_at_ms is not None]
    until = [line.footage_until_ms for line in status.sources if line.footage_until_ms is not None]
    return answers.Books(
        as_of_ms=reading.as_of_ms,
        model=status.model,
        state=WORDS[status.exit_code],
        newest_captured_at_ms=max(newest, default=None),
        footage_until_ms=max(until, default=None),
        counted_at_ms=status.counted_at_ms,
        newest_segment_at_ms=status.pace.newest_segment_at_ms,
        sources=[
            answers.SourceBooks(
                source=line.source,
                name=line.source_name,
                expected=line.expected,
                announced=line.announced,
                detected=line.detected,
                dead_lettered=line.dead_lettered,
                forgotten=line.forgotten,
                overlapped=line.overlapped,
                counted=line.counted,
                indexed=line.indexed,
                producing=line.producing,
                timed_by_file=line.file_time,
                newest_captured_at_ms=line.newest_captured_at_ms,
                footage_until_ms=line.footage_until_ms,
                counted_until_ms=line.counted_until_ms,
            )
            for line in status.sources
        ],
        stages=[
            answers.StageBooks(stage=stage.stage, frames_behind=stage.frames_behind, command=stage.command)
            for stage in status.stages
        ],
        log=answers.LogBooks(messages=status.log_messages, committed=status.log_committed),
        frames_per_s=status.pace.frames_per_s,
        eta_s=status.pace.eta_s,
        lost_messages=sum(loss.messages for loss in status.lost),
        dead_letters=[
            answers.DeadLetters(
                cause=cause,
                frames=frames,
                since_ms=status.dead_letters_since_ms.get(cause),
                reason=REASONS.get(cause, cause),
                command=f"frametally dead-letters list --cause {cause}",
            )
            for cause, frames in status.dead_letters.items()
        ],
        behind=status.behind,
        broken=status.broken,
    )
