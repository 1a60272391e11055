"""`frametally lines` and `frametally report traffic`."""
