"""What must outlive the catalogue: that there are accounts, and backups of what nothing else can restore."""
