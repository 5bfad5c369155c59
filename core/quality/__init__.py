"""Search quality: label sets, relevance measures, evaluations, judgements and the gate."""
