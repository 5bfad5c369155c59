"""From files to assets: sources, metadata, and the pipeline that embeds them."""
