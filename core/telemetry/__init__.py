"""What a run says about itself: structured logs and stage timings."""
