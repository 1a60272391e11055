"""`frametally backup` and `frametally restore`, and the backup that `frametally up` makes once a day."""
