"""Who may do what: accounts, tokens, sign-in, signed embeds and the audit log."""
