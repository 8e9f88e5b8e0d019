"""The backend on Google Cloud. Only the worker calls what needs Google's client libraries."""
