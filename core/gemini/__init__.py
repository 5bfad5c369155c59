"""Gemini: the client, calls with deadline and retries, prices, budget, circuit breaker, and parsing of replies."""
