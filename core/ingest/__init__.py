"""From files to assets: sources, what is said about pictures, and the pipeline that embeds them."""
