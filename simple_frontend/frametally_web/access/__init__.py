"""Rights: the table of rights, the visitor, and the sources that a visitor may see."""
