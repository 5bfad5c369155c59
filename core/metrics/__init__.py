"""Latency and cost of requests: stage timings, alerts, Prometheus."""
