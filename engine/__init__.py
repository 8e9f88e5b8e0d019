"""The engine: definitions, experiments, the worker and the backends, behind `engine.api.Engine`."""
