"""What keeps a collection well: removal, re-embedding, condition, originals."""
