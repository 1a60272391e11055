"""The traffic report of a junction: read from what is counted, drawn and stored."""
