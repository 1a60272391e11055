"""Accuracy checks: a person corrects a random sample, and each number gets an interval."""
