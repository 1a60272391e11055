"""Flows of days: what was published, or is counted now from stored tracks."""

from frametally.books.flows.days import flows_for, read_flows

__all__ = ["flows_for", "read_flows"]
