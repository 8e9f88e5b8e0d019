"""The TFX pipeline, its components and its local runner. Of the engine, only `engine.spec`."""
