"""Storage: collections in LanceDB, everything else in SQLite and files."""

import os

# LanceDB warns whenever it creates a table. Errors are raised anyway, not only logged.
os.environ.setdefault("LANCEDB_LOG", "error")
