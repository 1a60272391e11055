"""`frametally setup`: makes what the servers must have before the first frame, and checks the rights there.

Every part of it may be run again at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from frametally.errors import Misconfigured
from frametally.plugins import hooks
from frametally.settings.loading import Settings
from frametally_cli.options.ports import data_dir_option, read_settings
from frametally_cli.servers.bucket import STAGES, missing_rights, set_up_store
from frametally_cli.servers.frame_log import set_up_log
from frametally_cli.servers.index import index_part, ledger_part

Part = Callable[[Settings, Sequence[str], bool], Iterator[str]]
"""Given the settings, the stages to check and whether only to check, says what it did.

Raises `Misconfigured` for what a person must change.
"""


def store_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the S3 store: its bucket, its retention rules, the rights of the key that is set."""
    url, access = settings.store_url, settings.store_access
    if not check_only:
        yield from set_up_store(
            url,
            access,
            image_days=settings.store_image_days,
            metadata_days=settings.store_metadata_days,
            left_parts_days=math.ceil(settings.upload_keep_h / 24) + 1,
        )
    for stage in stages if url.startswith("s3://") else ():
        missing = missing_rights(url, access, stage)
        if missing:
            raise Misconfigured(
                f"{url}: this key lacks what the stage {stage} needs: {', '.join(missing)}; "
                f"cloud-services/s3/{stage}.json is a policy with all of it"
            )
        yield f"store: the key has every right that the stage {stage} needs"


def log_part(settings: Settings, stages: Sequence[str], check_only: bool) -> Iterator[str]:
    """Set up the Kafka log: its topic."""
    yield from set_up_log(settings, check_only=check_only)


PARTS: tuple[Part, ...] = (
    store_part,
    log_part,
    index_part,
    ledger_part,
)


@click.command()
@click.option(
    "--stage",
    "stages",
    multiple=True,
    type=click.Choice(sorted(STAGES)),
    help="Check that the credentials set here have every right that this stage needs (may be repeated).",
)
@click.option("--check", "check_only", is_flag=True, help="Make nothing, only check (default stage: admin).")
@data_dir_option
def setup(stages: tuple[str, ...], check_only: bool, **overrides: Any) -> int:
    """Make what the servers must have, such as the bucket, and check rights; again is no harm."""
    settings = read_settings(None, overrides, must_be_there=False)
    for part in (*PARTS, *hooks("setup")):
        for line in part(settings, stages or ("admin",), check_only):
            click.echo(line)
    return 0
