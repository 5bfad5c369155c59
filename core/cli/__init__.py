"""The command line: `python -m core …`, one file per group of commands."""
