"""Provides alerts, from rules on counts and footage checked in event time, and scheduled reports."""
