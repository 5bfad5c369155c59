"""The kinds of events: what counts as one request."""

from __future__ import annotations

KINDS = {
    "search": "a search by words or by picture, ranked or not, from question to pictures",
    "refine": "a follow-up that Gemini was asked to understand",
    "late": "an answer of Gemini that came after its search had been shown, and is billed all the same",
    "evaluate": "a query of a label set, asked to measure the search; it is no person's",
    "assign": "newcomers placed in the published clusters",
    "ingest": "a batch of pictures decoded, encoded and committed",
    "cut": "a view of the clusters computed: a cut of the dendrogram with its edits",
    "page": "a page rendered as a whole; `detail` says which",
}
# What a search costs is spread over these: only the first is one request.
SEARCHES = ("search", "refine", "late")
