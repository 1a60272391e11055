"""Videos that are made of others: what browsers play, and what is better to look at."""
