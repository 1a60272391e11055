"""`frametally doctor --deep`: what is stored, read as a whole and compared with its checksums."""
