"""Frozen records that travel between capabilities, free of any vendor's types."""
