"""BigQuery: which tables there are, what they hold, and what a query would read.

`warehouse` alone imports Google's library, which takes seconds: the worker and `init` load it, the
app and the other commands ask a process of its own (`asking`), which has a deadline.
"""
