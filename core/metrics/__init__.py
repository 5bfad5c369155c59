"""What requests take and cost: stage timings, alerts, Prometheus."""
