"""From a query to ranked assets: filters, exact vector search, ranking by Gemini, follow-ups, duplicates."""
