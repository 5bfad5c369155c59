"""State in SQLite: the database, its migrations, one file per kind of row."""
