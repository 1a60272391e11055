"""The books as metrics: counters that grow over restarts, and what is behind."""
