"""The consuming loop: poll, load, detect, write segments, commit, in that order."""
