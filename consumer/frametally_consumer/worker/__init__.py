"""Runs the consumer's loop: polls, loads, detects, writes segments and commits, in that order."""
