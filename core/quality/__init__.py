"""Is what a search finds any good: label sets, measures, evaluations, judgements and the gate."""
