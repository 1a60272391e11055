"""Status, runs and events: the books as the page shows them."""
