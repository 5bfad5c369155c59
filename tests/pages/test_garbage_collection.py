"""Python's garbage collector in the server: when it runs, and when it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from core.settings import PROJECT

READ_OPTION = "from streamlit import config; print(config.get_option('runner.postScriptGC'))"
START_SERVER = """
import asyncio, gc, streamlit_app
async def start():
    streamlit_app.warm = lambda: None
    async with streamlit_app.warming(None):
        print(gc.get_threshold() == streamlit_app.GC_THRESHOLDS != (700, 10, 10))
asyncio.run(start())
"""


def printed(code: str, folder: Path) -> str:
    """What this code prints in a new Python process in a folder, without Streamlit settings in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_the_project_turns_off_the_collection_after_every_script_run(tmp_path: Path) -> None:
    assert printed(READ_OPTION, PROJECT) == "False"
    assert printed(READ_OPTION, tmp_path) == "True", "Streamlit's default has changed: the setting is no longer needed"


def test_a_starting_server_sets_its_collector_thresholds() -> None:
    assert printed(START_SERVER, PROJECT) == "True"
