"""Provides accuracy checks: people correct a random sample, and each number gets an interval."""
