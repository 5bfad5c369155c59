"""What curators change: the edit model, validation, applying, undo."""
