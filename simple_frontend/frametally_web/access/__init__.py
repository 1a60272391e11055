"""Rights: the table of rights, the visitor, and sign-in."""
