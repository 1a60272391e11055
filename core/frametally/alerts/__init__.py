"""Alerts: rules over what was counted, evaluated in event time."""
