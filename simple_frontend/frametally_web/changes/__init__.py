"""Changes of footage that the pages make: what each would do first, then in a thread of its own."""
