"""The dashboard: a JSON API over the count index, and one page that charts it."""
