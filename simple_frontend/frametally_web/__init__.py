"""The dashboard: a JSON API over the count index, and pages that chart it."""

API_VERSION = "1.0.0"
