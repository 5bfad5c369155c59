"""Contact Sheet: `streamlit run streamlit_app.py`, or `make run`.

`streamlit run` imports this file once, as the server's application, and then runs it as a script for every session.
"""

import streamlit as st

SEARCH = "pages/search/page.py"


def navigate() -> None:
    """Run the page that the address asks for."""
    st.set_page_config(page_title="Contact Sheet", page_icon="🎞️", layout="wide")
    pages = [
        st.Page(SEARCH, title="Search", icon=":material/search:", url_path="start", default=True),
        # The start page answers at /; this makes /search a link that can be shared as well.
        st.Page(SEARCH, title="Search", icon=":material/search:", url_path="search", visibility="hidden"),
        st.Page("pages/library/page.py", title="Library", icon=":material/photo_library:", url_path="library"),
    ]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    navigate()
else:
    from streamlit.runtime.pages_manager import PagesManager

    # Without this a fresh server takes pages/ for the old one-file-per-page layout until the first run has ended, and
    # answers a deep link with "page not found".
    PagesManager.uses_pages_directory = False
    app = st.App(__file__)
