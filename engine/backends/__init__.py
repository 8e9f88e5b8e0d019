"""Where an experiment runs: `base.Backend` and its implementations."""
