"""An experiment on the sample groceries, written by hand: SQL for DuckDB over the Parquet files."""

from pathlib import Path

from engine.spec import (
    ROW_KEY,
    SPLIT,
    Column,
    Cross,
    CrossPart,
    Dense,
    ExamplesQuery,
    ExperimentSpec,
    Feature,
    FeatureConfig,
    ModelConfig,
    RetrievalSettings,
    Target,
    Tower,
    TrainingParams,
)

AGE = "Alter / größe"
"""A column's name may be anything."""

COLUMNS = (
    Column(name="household_id", type="STRING"),
    Column(name="product_id", type="STRING"),
    Column(name="at", type="INT64"),
    Column(name="spent", type="FLOAT"),
    Column(name="quantity", type="INT64"),
    Column(name=AGE, type="STRING"),
    Column(name="department", type="STRING"),
    Column(name="category", type="STRING"),
    Column(name="nothing", type="STRING"),
    Column(name="never", type="FLOAT"),
    Column(name="bought", type="STRING", repeated=True),
    Column(name=ROW_KEY, type="INT64"),
)


def grocery_examples(folder: Path) -> ExamplesQuery:
    """Return a random 80/15/5 split by a hash of (household, product, time)."""
    rows = f"""
        SELECT t.household_id::VARCHAR AS household_id, t.product_id::VARCHAR AS product_id,
            epoch_us(t.transaction_timestamp) AS at, t.sales_value::FLOAT AS spent,
            t.quantity AS quantity, d.age AS "{AGE}", p.department AS department,
            p.product_category AS category, NULL::VARCHAR AS nothing,
            NULL::FLOAT AS never,
            list(t.product_id::VARCHAR) OVER (
                PARTITION BY t.household_id
                ORDER BY t.transaction_timestamp, t.product_id
                ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING
            ) AS bought,
            ('0x' || md5(t.household_id || '|' || t.product_id || '|' || t.transaction_timestamp)
                [:15])::BIGINT AS row_key
        FROM '{folder}/transactions.parquet' t
        LEFT JOIN '{folder}/products.parquet' p ON t.product_id = p.product_id
        LEFT JOIN '{folder}/demographics.parquet' d ON t.household_id = d.household_id"""
    split = """CASE WHEN row_key % 100 < 80 THEN 'train' WHEN row_key % 100 < 95 THEN 'eval'
        ELSE 'test' END"""
    return ExamplesQuery(
        dialect="duckdb",
        sql=f"SELECT *, {split} AS {SPLIT} FROM ({rows})",
        columns=COLUMNS,
        buyer="household_id",
        product="product_id",
        timestamp="at",
        fingerprint="f00d",
    )


def grocery_features() -> FeatureConfig:
    """Return features of every data type and every transform, one column without any value."""
    return FeatureConfig(
        name="groceries",
        dataset="groceries",
        target=Target(column="spent", log1p=True),
        buyer=(
            Feature(
                column="household_id", data_type="text", transforms=("embed",), dim=16, primary=True
            ),
            Feature(column=AGE, data_type="text", transforms=("embed",), dim=4),
            Feature(
                column="at",
                data_type="temporal",
                transforms=("normalize", "cyclical_yearly", "cyclical_weekly", "bucketize"),
                dim=4,
                buckets=5,
            ),
            Feature(
                column="bought",
                data_type="history",
                transforms=("average",),
                dim=16,
                max_length=3,
                vocabulary="product_id",
            ),
        ),
        buyer_crosses=(
            Cross(
                parts=(
                    CrossPart(column=AGE, data_type="text"),
                    CrossPart(column="at", data_type="temporal", buckets=4),
                ),
                buckets=50,
                dim=4,
            ),
        ),
        product=(
            Feature(
                column="product_id", data_type="text", transforms=("embed",), dim=16, primary=True
            ),
            Feature(column="department", data_type="text", transforms=("embed",), dim=8),
            Feature(column="category", data_type="text", transforms=("embed",), dim=8),
            Feature(column="nothing", data_type="text", transforms=("embed",), dim=2),
            Feature(
                column="spent",
                data_type="numeric",
                transforms=("normalize", "bucketize"),
                dim=4,
                buckets=10,
            ),
            Feature(column="quantity", data_type="numeric", transforms=("normalize",)),
        ),
    )


def grocery_spec(
    folder: Path, *, uid: str = "0123456789ab", epochs: int = 3, learning_rate: float = 0.01
) -> ExperimentSpec:
    """Return the experiment."""
    return ExperimentSpec(
        uid=uid,
        number=1,
        dataset="groceries",
        examples=grocery_examples(folder),
        features=grocery_features(),
        model=ModelConfig(
            name="small",
            type="retrieval",
            buyer_tower=Tower(layers=(Dense(units=32),)),
            product_tower=Tower(layers=(Dense(units=32),)),
            output_dim=16,
            retrieval=RetrievalSettings(top_k=20),
            learning_rate=learning_rate,
        ),
        params=TrainingParams(
            sample_percent=100, epochs=epochs, batch_size=256, learning_rate=learning_rate
        ),
    )
