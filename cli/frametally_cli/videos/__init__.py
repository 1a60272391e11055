"""Commands for videos that come in by uploads."""
