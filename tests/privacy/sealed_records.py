"""The policy of privacy, for the tests of seals."""

from frametally_privacy.policy import PrivacyPolicy, PrivacyRule

RECORDS = [
    PrivacyPolicy(
        version=3,
        rules=(
            PrivacyRule(source="gate", masks=(((0.0, 0.0), (0.5, 0.0), (0.5, 0.5)),), blur=True, version=2),
        ),
    )
]
