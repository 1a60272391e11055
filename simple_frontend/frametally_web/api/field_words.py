"""Describes the fields of records in words, for the API's description and for options of commands."""

from __future__ import annotations

import inspect
import re

import msgspec

COMMON = {
    "announced": "Frames announced on the log.",
    "base_intervals_s": "Its stored intervals in seconds, shortest first.",
    "cause": "The reason, as a code for programs.",
    "cells": "By day of the week, then by hour.",
    "command": "The command to run.",
    "committed": "How far consumers have read.",
    "count": "The number.",
    "counted": "Counted frames, or the medium that counts at that time.",
    "counted_until_ms": "Event time up to which footage is counted; null before the first count.",
    "covered_s": "Seconds with footage, summed over sources; null if not recorded.",
    "day": "UTC day.",
    "dead_lettered": "Frames that could not be analysed.",
    "details": "Some of them, as text.",
    "detected": "Frames analysed.",
    "duplicates_dropped": "Duplicate frames, counted only once.",
    "earlier_ms": "How much earlier the compared moment is; null for local times that do not exist there.",
    "end_ms": "End of the interval, not included.",
    "expected": "Frames expected from the media.",
    "footage_until_ms": "Event time of its newest frame; null without frames.",
    "forgotten": "Frames deleted on request.",
    "frames_behind": "Frames that are waiting.",
    "hour": "Hour of local time, 0 to 23.",
    "indexed": "Frames in the count index.",
    "interval_s": "Length of an interval in seconds.",
    "kind": "The reason.",
    "labels_left_out": "Number of further labels.",
    "least": "The minimum.",
    "lines_dead": "Lines that could not be read.",
    "messages": "Messages in the log.",
    "most": "The maximum.",
    "models": "Newest published first.",
    "newest_captured_at_ms": "Newest event time; null without data.",
    "not_analysed": "Footage missing from the counts; null while the store is unavailable.",
    "not_counted": "The medium that does not count at that time.",
    "of_sources": "The total that this is out of.",
    "overlapped": "Frames that do not count, because another medium covers their time.",
    "params": "Hash of the settings.",
    "passed": "Whether it is correct.",
    "producing": "Whether part of it is being produced now.",
    "quality": "The report; null if there is none.",
    "reason": "The reason, as text.",
    "run_id": "ID of the run.",
    "runs": "Newest day first.",
    "runs_left_out": "Number of further entries.",
    "settings": "The settings by name; null if the run did not record them.",
    "shows_nothing_s": "Seconds of indexed footage that show nothing, by reason.",
    "shows_nothing": "Footage that is black, of one colour or frozen: it is in no number.",
    "not_within": "Footage that is counted, but not within the zone.",
    "start_ms": "Start of the interval.",
    "stage": "Name of the stage.",
    "timed_by_file": "Whether some of its times are only files' dates; null while the store is unavailable.",
    "v": "Version of the record.",
    "weekday": "Day of the week, 1 is Monday.",
    "words": "All of it on one line.",
    "at_ms": "A moment of event time.",
    "base_interval_s": "The interval used, in seconds: a stored one, or 1 for seconds counted from "
    "frames; null without data.",
    "box": "Left, top, width and height in pixels of the stored frame.",
    "boxes": "Boxes that count.",
    "captured_at_ms": "Event time of the frame.",
    "checks": "The individual checks.",
    "confidence": "The detector's confidence, from 0 to 1.",
    "detections": "Boxes that count.",
    "frames": "Frames.",
    "from_ms": "Start of the range.",
    "hours": "The chosen hours of the day; if null, all.",
    "image_path": "Key of the frame's JPEG in the store.",
    "image_url": "Its address on this server.",
    "label": "Class name.",
    "labels": "Class names.",
    "model": "Model ID; null without data.",
    "name": "Its name.",
    "note": "A warning in one sentence; null if all is well.",
    "objects": "Unique objects, each counted when it was first seen; null if unknown.",
    "objects_missing": "Why objects are unknown; null if they are known.",
    "source": "Slug of the source.",
    "sources": "The sources.",
    "timezone": "IANA name of the time zone.",
    "to_ms": "End of the range, not included.",
    "weekdays": "The chosen days of the week, 1 is Monday; if null, all.",
}
"""Descriptions of fields for all records that do not describe them."""


def field_words(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return the descriptions of a record's fields, from the docstrings of its bases and its own."""
    words = dict(COMMON)
    for base in reversed(record.__mro__):
        words |= attributes_in(base.__doc__ or "")
    return words


def attributes_in(text: str) -> dict[str, str]:
    """Return the descriptions in a docstring's "Attributes:", by field."""
    _, _, listed = inspect.cleandoc(text).partition("Attributes:\n")
    attributes = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in attributes}
