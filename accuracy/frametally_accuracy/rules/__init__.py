"""The rules of an accuracy check: which units are drawn, and what their answers say of all of them."""
