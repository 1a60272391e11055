"""The API for drawing lines, zones and calibrations."""
