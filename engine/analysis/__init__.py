"""What experiments say together: comparisons, and how sure they are."""
