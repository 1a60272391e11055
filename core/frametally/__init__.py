"""The vocabulary that frametally's stages share: records, settings, errors and the ports to storage."""
