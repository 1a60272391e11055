"""The languages of pages: their texts, and the sentences of problems."""
