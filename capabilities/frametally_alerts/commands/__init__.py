"""`frametally alerts` and `frametally report`."""
