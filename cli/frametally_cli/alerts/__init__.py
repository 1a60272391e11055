"""`frametally alerts`: who is told of what."""
