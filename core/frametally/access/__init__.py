"""Who may do what: accounts and their rights, passwords, codes, and the port of the book of them."""
