"""Maps the paths of three days to flows, without a reducer.

Needs numpy. A manifest line is JSON for one source and UTC day; see `entry_of`. The output has a JSON array
as key and a JSON string as value:

- `["flows", model, source, day_start_ms]`: the file (`flows.day_columns`) in base64;
- `["failed", model, source, day_start_ms]`: the reason of a failure.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from collections.abc import Iterable, Iterator

from frametally.errors import Misconfigured, Poison
from frametally.rules.hour_file import paths_in
from frametally.rules.path_columns import PathColumns, day_paths
from frametally.rules.seals import check_crc32
from frametally_hadoop.job.lines import to_json
from frametally_hadoop.job.reading import Fetch, fetch
from frametally_traffic.flows.day_columns import encode_flows
from frametally_traffic.flows.shapes import FlowInputs, parse_shapes


def entry_of(inputs: FlowInputs, files: Iterable[tuple[str, str, int | None]]) -> str:
    """Return the manifest line for the inputs of flows.

    `files`: its files of paths, each with address, key and checksum.
    """
    fields = {
        "model": inputs.model,
        "source": inputs.source,
        "day_start_ms": inputs.day_start_ms,
        "paths": [*files],
        "shapes": inputs.shapes.to_json(),
    }
    return json.dumps(fields)


def count_entry(manifest_line: str, *, fetch: Fetch = fetch) -> Iterator[tuple[bytes, bytes]]:
    """Yield the flows of a manifest line, or why they cannot be counted.

    `fetch` reads the files at its addresses.

    Raises:
        Retryable: A file of paths cannot be read now.
        Misconfigured: This Python has no numpy.
    """
    try:
        from frametally_traffic.flows.day_flows import flows_of_day
    except ImportError as error:
        raise Misconfigured(
            f"the Python of a cluster node, {sys.executable}, cannot count at lines and zones ({error}): "
            "install numpy for it on every node, or set FRAMETALLY_HADOOP_PYTHON to another Python"
        ) from error
    if not manifest_line.strip():
        return
    fields = json.loads(manifest_line)
    place = fields["model"], fields["source"], fields["day_start_ms"]
    try:
        flows = flows_of_day(
            _read_days(fetch, fields["paths"]),
            parse_shapes(fields["shapes"]),
            model=place[0],
            source=place[1],
            day_start_ms=place[2],
        )
    except (Poison, ValueError) as error:
        yield to_json(["failed", *place]), to_json(str(error))
    else:
        yield to_json(["flows", *place]), to_json(base64.b64encode(encode_flows(flows)).decode())


def _read_days(fetch: Fetch, files: Iterable[tuple[str, str, int | None]]) -> list[PathColumns]:
    """Return the paths of each day that has any."""
    by_day: dict[int, list[PathColumns]] = {}
    for address, key, crc32 in files:
        data = b"".join(fetch(address, key))
        try:
            check_crc32(zlib.crc32(data), crc32)
            for paths in paths_in(data):
                by_day.setdefault(paths.day_start_ms, []).append(paths)
        except Poison as error:
            raise Poison(f"{key}: {error}") from error
    return [day_paths(of_day) for of_day in by_day.values()]
