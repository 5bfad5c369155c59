"""From a query to ranked assets: filters, exact vector search over the resident matrix."""
