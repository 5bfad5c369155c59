"""Files of a collection and their locks."""
