"""Polite HTTP: allowed hosts, rate limits, retries."""
