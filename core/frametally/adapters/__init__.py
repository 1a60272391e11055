"""The adapters behind the ports; the `open_*` functions of `opening` import the one for a URL."""
