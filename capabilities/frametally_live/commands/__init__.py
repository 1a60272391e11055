"""`frametally live` and `frametally stream`."""
