"""The API for crossings, movements, zones and speeds, with their proof."""
