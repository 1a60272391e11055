"""Videos that come in: by tus, whose clients go on after a cut, and by a form."""
