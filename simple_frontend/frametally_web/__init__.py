"""The dashboard: a JSON API over the count index, and one page that charts it."""

API_VERSION = "1.0.0"
