"""A polite HTTP client: allowed hosts, rate limits, retries."""
