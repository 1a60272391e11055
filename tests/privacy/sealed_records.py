"""The policy of privacy and receipts of erasures, for the tests of seals."""

from frametally_privacy.erasure_records import ErasedKind, Erasure
from frametally_privacy.policy import PrivacyPolicy, PrivacyRule

RECORDS = [
    PrivacyPolicy(
        version=3,
        rules=(
            PrivacyRule(source="gate", masks=(((0.0, 0.0), (0.5, 0.0), (0.5, 0.5)),), blur=True, version=2),
        ),
    ),
    Erasure(
        id="0123456789ab",
        source="gate",
        from_ms=1,
        to_ms=2,
        keeps_counts=False,
        began_at_ms=3,
        ended_at_ms=4,
        erased=(ErasedKind(kind="frames", items=5, size_bytes=6),),
        backups=("backups/000001-20260101T000000000Z.backup",),
        media=("0123456789ab", "0123456789ac.2"),
    ),
]
