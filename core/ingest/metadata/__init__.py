"""What files, sidecars and tables say about pictures."""
