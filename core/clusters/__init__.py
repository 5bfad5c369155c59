"""How a collection falls into clusters: the dendrogram, cuts of it, and what curators make of them."""
