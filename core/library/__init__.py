"""Care of a collection: removal, re-embedding, condition, originals."""
