"""What the checks of frametally and of its plug-ins report, and when they apply."""
