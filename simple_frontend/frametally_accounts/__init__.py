"""Accounts, rights, tokens, sign-in, signed embeds and the audit log."""
