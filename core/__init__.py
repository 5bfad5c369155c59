"""Contact Sheet's capabilities: no streamlit below this package."""
