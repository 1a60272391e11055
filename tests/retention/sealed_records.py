"""The policy of retention, for the tests of seals."""

from frametally_retention.policy import LegalHold, Removal, RemovedKind, RetentionPolicy, RetentionRule

RECORDS = [
    RetentionPolicy(
        rules=(RetentionRule(kind="frames", source="gate", after_ms=86_400_000),),
        holds=(LegalHold(name="case-7", source="gate", from_ms=1, to_ms=2, note="theft", set_at_ms=3),),
        removals=(Removal(id="0123456789ab", source="gate", from_ms=1, to_ms=2, since_ms=3),),
        applied_at_ms=4,
        removed=(RemovedKind(kind="frames", source="gate", items=5, size_bytes=6),),
    )
]
