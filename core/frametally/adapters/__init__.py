"""The adapters behind the ports; the `open_*` functions of `adapters_by_url` import the one for a URL."""
