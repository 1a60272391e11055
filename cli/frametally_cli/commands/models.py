"""`frametally download-models`: fetch the network, check it, make its INT8 form."""

from __future__ import annotations

from typing import Any

import click

from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, read_settings


@click.command("download-models")
@click.option("--int8", is_flag=True, help="Also make the INT8 network, calibrated on this store's frames.")
@data_dir_option
def download_models(int8: bool, **overrides: Any) -> int:
    """Fetch the model and check it; with --int8 make its INT8 network."""
    from frametally_models.files import chosen_model_files

    settings = read_settings("consumer", overrides)
    with console.stage_bar("model") as bar:
        files = chosen_model_files(settings, bar)
    for path in files:
        click.echo(path)
    if int8:
        from frametally_models.int8 import prepare_int8

        with console.stage_bar("int8") as bar:
            made = prepare_int8(files, settings, bar)
        click.echo(made.path)
        click.echo(
            f"int8: calibrated on {made.frames} frames, finds {made.found_again:.1%} of what f32 finds; "
            "use it with FRAMETALLY_DETECTOR=openvino FRAMETALLY_PRECISION=int8"
        )
    return 0
