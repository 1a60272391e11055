"""Receives videos by tus, whose clients continue after an interruption, or by a form."""
