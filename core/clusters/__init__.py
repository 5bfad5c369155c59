"""Clusters of a collection: the dendrogram, cuts of it, and curators' edits."""
