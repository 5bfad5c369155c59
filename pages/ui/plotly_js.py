"""Plotly's script for components that draw with it, from the installed package."""

from __future__ import annotations

from pathlib import Path

import plotly
from starlette.responses import FileResponse
from starlette.routing import BaseRoute, Route

from pages.ui.routes import base_path

PATH = f"plotly/{plotly.__version__}/plotly.min.js"  # relative to the server's base
_FILE = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def plotly_route() -> BaseRoute:
    """Serves the script; its address changes with its version, so that browsers may cache it for good."""

    async def script(_: object) -> FileResponse:
        return FileResponse(
            _FILE, media_type="text/javascript", headers={"Cache-Control": "public, max-age=31536000, immutable"}
        )

    return Route(f"{base_path()}/{PATH}", script)
