"""`frametally users`, `tokens`, `embed` and `audit`."""
