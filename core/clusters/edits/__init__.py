"""Curators' edits: the model, validation, applying them, undo."""
