"""What rules look for: values over a threshold, gaps, late footage, blind cameras, failed checks."""
