"""Registers this folder with frametally."""

from __future__ import annotations

from frametally.plugins import CommandEntry, PageEntry, Plugin

PLUGIN = Plugin(
    name="accounts",
    commands={
        "api": CommandEntry(
            "frametally_accounts.commands.api:api", "Do what the dashboard's pages can do, without a server"
        ),
        "audit": CommandEntry(
            "frametally_accounts.commands.audit:audit_group", "Show, export and verify who changed what"
        ),
        "embed": CommandEntry(
            "frametally_accounts.commands.embed:embed",
            "Print the HTML that shows a chart on another site",
            {"": ("from_text", "to_text", "sites", "sources", "labels", "zone", "hours", "weekdays", "days")},
        ),
        "tokens": CommandEntry(
            "frametally_accounts.commands.users:tokens_group",
            "Create and delete API tokens",
            {"add": ("account", "name", "role", "sources", "days"), "remove": ("account", "name")},
        ),
        "users": CommandEntry(
            "frametally_accounts.commands.users:users_group",
            "Add and delete accounts, and set what they may do",
            {"add": ("name", "role", "sources", "codes"), "passwd": ("name", "codes"), "remove": ("name",)},
        ),
    },
    tables=("frametally_accounts.tables", "frametally_accounts.audit.tables"),
    data_places="frametally_accounts.hooks:data_places",
    findings="frametally_accounts.hooks:findings",
    serving="frametally_accounts.hooks:serving",
    restored="frametally_accounts.hooks:restored",
    of_source="frametally_accounts.hooks:of_source",
    kept_since="frametally_accounts.hooks:kept_since",
    actions=("frametally_accounts.people.routes",),
    pages=(
        PageEntry("/audit", "run", "", "accounts.audit_log", 70, "web.health"),
        PageEntry("/accounts", "run", "accounts.html", "accounts.accounts", 80, "web.health"),
    ),
    tags={
        "Accounts": "Accounts and tokens, and their rights.",
    },
    prepare_command="frametally_accounts.audit.command_log:record_changes",
)
