"""The same job as plain Hadoop Streaming, without mrjob: lines on standard input and output.

Standard library only. Failures print one line on standard error and exit with 1, so that Hadoop retries.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby

from frametally.errors import FrametallyError
from frametally.process.collection import rare_collection
from frametally_hadoop.job.lines import from_json
from frametally_hadoop.job.map_reduce import FrameGroups, Pair, reduce_group
from frametally_hadoop.job.params import CountParams, parse_argument

OUTPUTS = ("counts", "hours")
PARAMS_HELP = 'JSON such as {"interval_s": 60, "min_confidence": 2500}, or its URL-safe base64'
OUTPUT_HELP = "counts and coverage alone, or hours with all that is counted of them"


def map_lines(lines: Iterable[bytes], params: CountParams) -> Iterator[Pair]:
    """Run the map side over manifest lines."""
    groups = FrameGroups(params, report_counter)
    for line in lines:
        yield from groups.add(line.decode())
    yield from groups.drain()


def reduce_lines(lines: Iterable[bytes], params: CountParams) -> Iterator[Pair]:
    """Run the reduce side over `key TAB value` lines, sorted by key."""
    pairs = (line.rstrip(b"\n").partition(b"\t") for line in lines)
    for key, group in groupby(pairs, key=lambda pair: pair[0]):
        yield from reduce_group(key, (value for _, _, value in group), params, report_counter)


def counts_alone(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Yield the pairs of part files; report the lines that were set aside on standard error."""
    for key, value in pairs:
        kind, *where = from_json(key)
        if kind in ("count", "coverage"):
            yield key, value
        elif kind == "corrupt":
            segment, number = where
            line = f"{segment}, line {number}: {from_json(value)}; the rest is counted"
            print(line, file=sys.__stderr__)  # in-process mrjob replaces `sys.stderr`


def report_counter(group: str, name: str, amount: int) -> None:
    """Add to one of Hadoop's counters."""
    sys.stderr.write(f"reporter:counter:{group},{name},{amount}\n")


@rare_collection()
def main(side: str, arguments: list[str] | None = None) -> int:
    """Run the `mapper` or the `reducer` as a script."""
    parser = argparse.ArgumentParser(description=f"The {side} of the counting job, for Hadoop Streaming.")
    parser.add_argument("--params", default="", help=PARAMS_HELP)
    parser.add_argument("--output", choices=OUTPUTS, default=OUTPUTS[0], help=OUTPUT_HELP)
    options = parser.parse_args(arguments)
    run = map_lines if side == "mapper" else reduce_lines
    try:
        pairs = run(sys.stdin.buffer, parse_argument(options.params))
        if side == "reducer" and options.output == "counts":
            pairs = counts_alone(pairs)
        for key, value in pairs:
            sys.stdout.buffer.write(key + b"\t" + value + b"\n")
        sys.stdout.buffer.flush()
    except FrametallyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
