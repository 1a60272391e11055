"""What objects did at the lines and zones that are drawn over a source. Standard library only."""
