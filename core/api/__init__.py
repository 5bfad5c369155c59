"""Routes for other programs and for pages: Starlette, the same rules as pages."""
