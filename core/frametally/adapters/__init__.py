"""One module per adapter; the `open_*` functions of the ports import the one for a URL."""
