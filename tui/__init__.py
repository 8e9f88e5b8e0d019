"""The full-screen terminal application over `engine.api`."""
