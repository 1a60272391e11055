"""Who may ask for what: the table of rights, who asks, and how people log in."""
