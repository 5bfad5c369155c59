"""What a page shows of clusters: partition, statistics, naming, assignment, export."""
