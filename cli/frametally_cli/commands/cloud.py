"""`frametally cloud-setup` and `frametally reach`: for the stack on servers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from frametally.errors import Misconfigured
from frametally.process.exit_codes import PART_DONE
from frametally.settings.loading import component_folder
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, read_settings
from frametally_cli.servers.reach import named_servers, why_unreachable

_STORE = {
    "store_url": "FRAMETALLY_STORE_URL",
    "store_endpoint": "FRAMETALLY_STORE_ENDPOINT",
    "store_region": "FRAMETALLY_STORE_REGION",
    "store_access_key": "FRAMETALLY_STORE_ACCESS_KEY",
}


@click.command("cloud-setup")
@click.option("--domain", default="", help="The stack's domain, such as counts.your-town.org.")
@click.option("--email", default="", help="Whom Let's Encrypt writes to.")
@click.option("--user", default="", help="Who may open the web pages (default: admin).")
@click.option("--store-url", default="", help="The S3 bucket, such as s3://my-counts.")
@click.option("--store-endpoint", default="", help="URL of the S3 service; empty: AWS's.")
@click.option("--store-region", default="", help="Region of the bucket.")
@click.option("--store-access-key", default="", help="Name of the S3 key.")
@click.option("--bundled-store", is_flag=True, help="Run an S3 store in the stack instead.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="The stack's folder (default: cloud-services of the checkout).",
)
def cloud_setup(
    domain: str, email: str, user: str, bundled_store: bool, folder: Path | None, **store: str
) -> int:
    """Write .env, users, Kafka's log-ins and room for certificates; keep what is there.

    Secrets are made, or come from FRAMETALLY_STORE_SECRET_KEY and FRAMETALLY_CLOUD_PASSWORD. On a terminal it
    asks for what is missing.
    """
    from frametally_cloud.stack_setup import Answers, set_up

    folder = folder or _stack_folder()
    told = {variable: store[name] for name, variable in _STORE.items()}
    told["FRAMETALLY_STORE_SECRET_KEY"] = os.environ.get("FRAMETALLY_STORE_SECRET_KEY", "")
    password = os.environ.get("FRAMETALLY_CLOUD_PASSWORD", "")
    new = not (folder / ".env").is_file()
    if new and sys.stdin.isatty():
        domain = domain or _ask("Domain, such as counts.your-town.org")
        email = email or _ask("Your e-mail address, for Let's Encrypt")
        if not told["FRAMETALLY_STORE_URL"] and not bundled_store:
            told["FRAMETALLY_STORE_URL"] = _ask("S3 bucket, such as s3://my-counts (empty: run a store here)")
            bundled_store = not told["FRAMETALLY_STORE_URL"]
        if not bundled_store:
            endpoint = "FRAMETALLY_STORE_ENDPOINT"
            told[endpoint] = told[endpoint] or _ask("URL of the S3 service (empty: AWS)")
            key = "FRAMETALLY_STORE_ACCESS_KEY"
            told[key] = told[key] or _ask("Name of the S3 key")
            key = "FRAMETALLY_STORE_SECRET_KEY"
            told[key] = told[key] or _ask("Its secret", hide_input=True)
        user = user or click.prompt("Who may open the web pages", default="admin", err=True)
        password = password or _ask("Password (empty: one is made)", hide_input=True)
    done = set_up(
        folder,
        Answers(
            domain=domain,
            email=email,
            user=user,
            password=password,
            store={name: value for name, value in told.items() if value},
            bundled_store=bundled_store,
        ),
    )
    for verb, names in (("written", done.written), ("kept", done.kept)):
        for name in names:
            click.echo(f"{verb}: {folder / name}")
    for line in done.warnings:
        console.err.print(f"still to do: {line}")
    if "first-password" in done.written:
        click.echo(
            f"name and password for the web pages: {folder / 'first-password'}; note it, then remove it"
        )
    click.echo(f"next: cd {folder} && docker-compose up -d --build")
    return PART_DONE if done.warnings else 0


@click.command()
@data_dir_option
def reach(**overrides: Any) -> int:
    """Say whether the servers that the settings name can be reached, without logging in; exit with 0 or 2."""
    trouble = 0
    for server in named_servers(read_settings(None, overrides, must_be_there=False)):
        why = why_unreachable(server)
        if why:
            console.say_error(why)
            trouble = 2
        else:
            click.echo(f"{server.what}: {server.host}:{server.port} answers")
    return trouble


def _stack_folder() -> Path:
    beside = component_folder("producer")
    if beside is None:
        raise Misconfigured("the stack's folder is not known; name it: --folder PATH/cloud-services")
    return beside.parent / "cloud-services"


def _ask(question: str, *, hide_input: bool = False) -> str:
    answer: str = click.prompt(question, default="", show_default=False, hide_input=hide_input, err=True)
    return answer.strip()
