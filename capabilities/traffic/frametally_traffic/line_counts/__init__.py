"""The API of crossings, movements, zones and speeds, with their proof."""
