"""The dendrogram: linkage, cuts, branches, the threshold curve."""
