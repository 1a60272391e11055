"""A run's record of how lines and zones are counted."""

from frametally_traffic.flows.shapes import FLOWS_VERSION

RUN_SETTINGS = {"flows_version": FLOWS_VERSION}
