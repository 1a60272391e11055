"""Metrics of a process, and the programs that read them."""
