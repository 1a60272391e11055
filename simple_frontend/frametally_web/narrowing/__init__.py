"""What was counted within a zone, asked for as what was counted in the whole picture is."""
