"""Metadata of pictures from files, sidecars and tables."""
