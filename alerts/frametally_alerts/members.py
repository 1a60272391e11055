"""What alerts run beside a dashboard."""

from __future__ import annotations

from frametally.settings.loading import Settings
from frametally_cli.stages.family_members import MemberOptions, MembersPart, command


def members(settings: Settings, options: MemberOptions) -> MembersPart:
    """Return the rounds, also where no channel is set: a report may be for the store alone."""
    return MembersPart([command("alerts", settings, "--every", options.every, of="run")])
