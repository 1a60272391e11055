"""What people draw over a source's picture: what may be, how it is kept, in which files it comes."""
