"""The library of uploaded videos."""
