"""`python -m core …`"""

import sys
from io import TextIOWrapper

from core.cli.main import main

for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, TextIOWrapper):  # whatever the terminal or PYTHONIOENCODING say: programs read it
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
sys.exit(main())
