"""Where pictures come from: folders, uploads, Unsplash datasets."""
