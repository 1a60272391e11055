"""What must outlive the catalogue: that there are accounts."""
