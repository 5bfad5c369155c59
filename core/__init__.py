"""Contact Sheet without its pages: nothing here may import streamlit."""

__version__ = "0.2.0.dev0"
