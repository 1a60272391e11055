"""The routes of the API as data, by what they are about."""
