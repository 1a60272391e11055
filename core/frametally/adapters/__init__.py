"""One module per adapter; the ports' `open_*` functions import the one that a URL names."""
