"""Incoming videos: by tus, whose clients continue after an interruption, and by a form."""
