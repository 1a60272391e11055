"""What objects did at a source's lines and zones: crossings, stays, movements, speeds, and their proof."""
