"""Alerts: rules over what was counted, checked in event time, and scheduled reports."""
