"""The rules of an accuracy check: drawing units, and estimating the whole from their answers."""
