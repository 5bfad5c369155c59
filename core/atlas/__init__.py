"""The map of a collection: where each picture lies, what of it is drawn, in which colours, and what a lasso holds."""
