"""What the hint line says of the field that has the focus; each fits into 80 cells."""

from typing import Final

HINTS: Final[dict[str, str]] = {
    "model_type": "← → choose. Ranking and multitask need feature configs with a target.",
    "feature_config": "↑ ↓ choose, Enter goes on, PgDn scrolls what it means.",
    "model_config_name": "↑ ↓ choose, Enter goes on, PgDn scrolls what it means.",
    "name": "What the experiment is called; search finds its words.",
    "description": "What it is about; search finds its words.",
    "tags": "Words to find it by, separated by commas.",
    "sample_percent": "↑ ↓ 5, 10, 25, 50, 100; any from 1 to 100. Share of the buyers used.",
    "sample_by": "← → choose. Auto: rows for ranking models, whole buyers for the others.",
    "split:random": "← → choose. 80% train, 15% eval, 5% test, by a hash of the row key.",
    "split:time-holdout": "← → choose. The last days are test; the rest is 80% train, 20% eval.",
    "split:strict-time": "← → choose. Train, then eval, then test days: no look ahead.",
    "holdout_days": "↑ ↓ days at the end of the data that are the test split.",
    "train_days": "↑ ↓ days of the train split, just before the eval split.",
    "val_days": "↑ ↓ days of the eval split, just before the test split.",
    "test_days": "↑ ↓ days of the test split, the last of the data.",
    "epochs": "↑ ↓ 1 to 50, more with a warning. Passes over the train rows.",
    "batch_size": "↑ ↓ 256 to 8192; any from 1 to 65,536. Examples a training step.",
    "learning_rate": "↑ ↓ 0.0001 to 1. Step size of the optimizer.",
    "early_stopping": "← → choose. Ends training that gets no better, and keeps the best epoch.",
    "patience": "↑ ↓ 1 to 1000. Epochs without a better value before training ends.",
    "deterministic": "← → choose. Equal seeds give equal results within 1e-6; slower.",
    "seed": "↑ ↓ 0 to 2,147,483,647. Of weights, shuffling and the choice of a split.",
    "backend": "← → choose. This machine, or the project that config.toml names.",
    "upload_rows": "← → choose. Where the rows are, or whether they are sent to the bucket.",
    "hardware": "← → choose. Machines of Dataflow's workers on Google Cloud; not of this one.",
}
"""By field; of a split, by its value too."""
