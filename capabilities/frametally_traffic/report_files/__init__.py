"""Makes the files and the page's answer of a traffic report."""
