"""The map of a collection: coordinates of its pictures, which of them are drawn, their colours, and lasso selection."""
