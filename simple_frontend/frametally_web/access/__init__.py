"""Rights: the table of rights, who asks, and how people sign in."""
