"""What `frametally doctor` looks at: settings, ports, models, this machine."""
