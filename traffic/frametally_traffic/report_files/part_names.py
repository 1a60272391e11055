"""What files and pages call the parts of a traffic report."""

from __future__ import annotations

import re

from frametally_traffic.report.junction_report import TrafficReport
from frametally_traffic.report.quarters import Missing, Quarter

MISSING: dict[Missing, str] = {
    "no_footage": "no footage",
    "not_analysed": "not analysed yet",
    "not_measured": "not measured",
}
TURN_WORDS = {
    "l2": "sharp left",
    "l": "left",
    "t": "through",
    "r": "right",
    "r2": "sharp right",
    "u": "U-turn",
}


def state_of(quarter: Quarter) -> str:
    """Return what is known of a quarter, in words; empty where all of it was seen."""
    if quarter.missing is not None:
        return MISSING[quarter.missing]
    return "" if quarter.is_whole else f"seen {quarter.seen_share:.0%}"


def movement_name(report: TrafficReport, pair: tuple[str, str]) -> str:
    """Return a movement in words: where it goes to and, where that is known, how it turns."""
    turn = report.turns.get(pair)
    return f"to {pair[1]}" if turn is None else f"{TURN_WORDS[turn]} (to {pair[1]})"


def leg_name(report: TrafficReport, leg: str) -> str:
    """Return a leg with the side on which it lies, where that is known."""
    side = report.sides.get(leg)
    return leg if side is None else f"{leg} ({side})"


def column_names(report: TrafficReport) -> dict[tuple[str, str, str], str]:
    """Return the name of each column of the wide table, by leg come over, leg gone over and group.

    They are as in cities' open data, `n_appr_car_l`: the leg by its side, where each has one of its own, else
    by its name; the class; the turn, or `to_<leg>` where it is not known or several legs lie that way.
    """
    sides = list(report.sides.values())
    by_side = None not in sides and len({*sides}) == len(sides)
    legs = report.table.legs
    named = {leg: _word((report.sides.get(leg) or leg) if by_side else leg) for leg in legs}
    short = _distinct(named)
    groups = _distinct({group.name: _word(group.name) for group in report.table.groups})
    pairs = report.table.pairs
    turns = report.turns
    ways = [(pair[0], turns.get(pair)) for pair in pairs]
    names = {}
    for pair in pairs:
        turn = turns.get(pair)
        way = turn if turn and ways.count((pair[0], turn)) == 1 else f"to_{short[pair[1]]}"
        for group in report.table.groups:
            names[*pair, group.name] = f"{short[pair[0]]}_appr_{groups[group.name]}_{way}"
    return names


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower()).strip("_") or "leg"


def _distinct(words: dict[str, str]) -> dict[str, str]:
    """Return the same with a number after words that came before."""
    found: dict[str, str] = {}
    for key, word in words.items():
        number, chosen = 1, word
        while chosen in found.values():
            number += 1
            chosen = f"{word}{number}"
        found[key] = chosen
    return found
