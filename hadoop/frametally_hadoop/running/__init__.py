"""Runs the job on an engine, and collects what it gives."""
