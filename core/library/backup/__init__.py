"""Backups of collections and databases: making, restoring, and when."""
