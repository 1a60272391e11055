"""Media and their manifests, and how footage is forgotten, retimed or renamed."""
