"""Asking Gemini: the client, prices, budgets, the circuit breaker, and what its replies mean."""
