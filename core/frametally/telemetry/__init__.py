"""Exposes metrics, and sends lineage events and traces."""
