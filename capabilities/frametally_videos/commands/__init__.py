"""`frametally upload`, `work` and `catalogue`."""
