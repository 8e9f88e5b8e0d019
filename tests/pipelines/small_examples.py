"""Examples in memory, so that training can be tested without a pipeline."""

import numpy as np

from engine.spec import (
    Column,
    ExamplesQuery,
    ExperimentSpec,
    Feature,
    FeatureConfig,
    ModelConfig,
    RetrievalSettings,
    Tower,
    TrainingParams,
)
from pipelines.data import Examples, TowerInput

VOCABULARIES = {"buyer": 10, "product": 12, "kind": 3}


def small_spec(
    *,
    retrieval: RetrievalSettings | None = None,
    tower: Tower | None = None,
    model: dict[str, object] | None = None,
    **params: object,
) -> ExperimentSpec:
    """Return a spec: a buyer and a price bucket against a product, its kind and its price."""
    fields = {"sample_percent": 100, "epochs": 2, "batch_size": 16, "learning_rate": 0.01, **params}
    return ExperimentSpec(
        uid="0123456789ab",
        number=1,
        dataset="d",
        examples=ExamplesQuery(
            dialect="duckdb",
            sql="",
            columns=(Column(name="buyer", type="STRING"),),
            buyer="buyer",
            product="product",
            timestamp=None,
            fingerprint="",
        ),
        features=FeatureConfig(
            name="f",
            dataset="d",
            buyer=(
                Feature(
                    column="buyer", data_type="text", transforms=("embed",), dim=4, primary=True
                ),
            ),
            product=(
                Feature(
                    column="price", data_type="numeric", transforms=("normalize", "bucketize"),
                    dim=3, buckets=4,
                ),
                Feature(
                    column="product", data_type="text", transforms=("embed",), dim=4, primary=True
                ),
                Feature(column="at", data_type="temporal", transforms=("cyclical_daily",)),
                Feature(column="kind", data_type="text", transforms=("embed",), dim=2),
            ),
        ),
        model=ModelConfig(
            name="m",
            type="retrieval",
            buyer_tower=tower or Tower(),
            product_tower=tower or Tower(),
            output_dim=8,
            retrieval=retrieval or RetrievalSettings(),
            learning_rate=0.01,
        ).replace(**(model or {})),
        params=TrainingParams.model_validate(fields),
    )  # fmt: skip


def small_examples(rows: int, *, seed: int = 0, unknown: float = 0.0) -> Examples:
    """Return rows in which buyer b prefers products of b's parity; some ids may be unknown."""
    rng = np.random.default_rng(seed)
    buyer = rng.integers(1, 11, rows)
    product = np.minimum(12, 1 + rng.integers(0, 6, rows) * 2 + buyer % 2)
    buyer = np.where(rng.random(rows) < unknown, 11, buyer)
    product = np.where(rng.random(rows) < unknown, 13, product)
    ids = np.stack([1 + product % 4, product, product % 4], axis=1).astype(np.int32)
    angle = 2 * np.pi * rng.random(rows)
    values = np.stack([rng.normal(size=rows), np.sin(angle), np.cos(angle)], axis=1)
    return Examples(
        buyer=np.array([b"b%d" % b for b in buyer], object),
        product=np.array([b"p%d" % p for p in product], object),
        row_key=np.arange(rows),
        timestamp=np.arange(rows),
        query=TowerInput(buyer[:, None].astype(np.int32), np.zeros((rows, 0), np.float32)),
        candidate=TowerInput(ids, values.astype(np.float32)),
    )
