"""Where assets and vectors are kept: LanceDB, one folder and one lock per collection."""

import os

# LanceDB warns on every new table that it did not exist before. Errors are raised, not only logged.
os.environ.setdefault("LANCEDB_LOG", "error")
