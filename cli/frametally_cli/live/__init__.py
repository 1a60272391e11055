"""Commands for what is live."""
