"""The towers, the retrieval model that trains them, and the index that serves them."""
