"""Contact Sheet's capabilities: no streamlit below this package."""

__version__ = "0.2.0.dev0"
