"""Local clocks: when what is done every so often is due by them."""
