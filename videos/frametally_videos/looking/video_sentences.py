"""What is told of a video, as sentences; whoever runs others' work needs no decoder for it."""

from __future__ import annotations


def sentence(words: str) -> str:
    """Return the words of the producer about a piece of a video as a sentence."""
    return words[:1].upper() + words[1:].removesuffix(".") + "."


def about_it(words: str) -> str:
    """Return what the producer says of a file behind its name as a sentence about "it"."""
    return sentence(f"It {words}")
