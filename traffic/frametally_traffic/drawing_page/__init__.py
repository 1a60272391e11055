"""The API by which lines, zones and calibrations are drawn."""
