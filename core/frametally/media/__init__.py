"""Media and their manifests, and what is forgotten, retimed or renamed."""
