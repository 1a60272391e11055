"""Runs the job on an engine, and collects its output."""
