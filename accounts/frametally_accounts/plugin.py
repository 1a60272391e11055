"""What this folder adds to frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, Plugin

PLUGIN = Plugin(
    name="accounts",
    commands={
        "audit": CommandEntry(
            "frametally_accounts.commands.audit:audit_group", "Show, export and verify who changed what"
        ),
        "embed": CommandEntry(
            "frametally_accounts.commands.embed:embed",
            "Print the HTML that shows a chart on another site",
            {"": ("from_text", "to_text", "sites", "sources", "labels", "zone", "hours", "weekdays", "days")},
        ),
        "tokens": CommandEntry(
            "frametally_accounts.commands.tokens:tokens_group",
            "Create and remove API tokens",
            {"add": ("account", "name", "role", "sources", "days"), "remove": ("account", "name")},
        ),
        "users": CommandEntry(
            "frametally_accounts.commands.users:users_group",
            "Add and remove accounts, and set what they may do",
            {"add": ("name", "role", "sources", "codes"), "passwd": ("name", "codes"), "remove": ("name",)},
        ),
    },
    tables="frametally_accounts.kept:TABLES",
    checks="frametally_accounts.checks:checks",
    must_open="frametally_accounts.serving:must_open",
    serving="frametally_accounts.serving:serving",
    setup="frametally_accounts.serving:setup",
    restored="frametally_accounts.serving:restored",
    of_source="frametally_accounts.serving:of_source",
    kept_since="frametally_accounts.serving:kept_since",
    prepare_command="frametally_accounts.audit.command_log:record_changes",
)
