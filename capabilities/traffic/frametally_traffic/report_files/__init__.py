"""The traffic report as files and as the page's answer."""
