"""Files on this machine: downloads, pictures, locks."""
