"""From files and words to vectors: open_clip models, image decoding, thumbnails, content hashes."""
