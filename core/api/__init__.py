"""Routes beside the pages, for browsers and other programs; they follow the same rules as the pages."""
