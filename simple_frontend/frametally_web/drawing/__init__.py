"""What is drawn over a source's picture, as the page draws it: shown, changed, tried out."""
