"""Charts that are signed for pages of other sites."""
