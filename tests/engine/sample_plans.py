"""A planner that needs no data: every request becomes a small retrieval plan."""

from engine.errors import InvalidInput
from engine.planning import Plan, QuickTestRequest
from engine.spec import (
    ROW_KEY,
    Column,
    Dense,
    ExamplesQuery,
    Feature,
    FeatureConfig,
    ModelConfig,
    Split,
    Tower,
    TrainingParams,
)
from engine.spec.run_folder import Rows

REQUEST = QuickTestRequest(feature_config="basic", model_config_name="retrieval-small")
DEFINITIONS = {
    "dataset": {"primary": "ratings"},
    "feature_config": {"dataset": "ratings"},
    "model_config": {"type": "retrieval"},
}


class SamplePlanner:
    """Plans without data.

    `replanned` keeps the definitions that reruns came with; `edited` has what else plans have now.
    """

    def __init__(self):
        self.replanned = []
        self.edited = {}

    def plan(self, request):
        return plan_of(request).replace(**self.edited)

    def replan(self, request, definitions):
        self.replanned.append(definitions)
        return plan_of(request)


def plan_of(request=REQUEST):
    """Return a plan whose resolved values differ from every default of the request."""
    if request.epochs > 1000:
        raise InvalidInput("Too many epochs.")
    return Plan(
        request=request,
        dataset="ratings",
        examples=ExamplesQuery(
            dialect="duckdb",
            sql="SELECT 1",
            columns=(
                Column(name=ROW_KEY, type="INT64"),
                Column(name="user", type="STRING"),
                Column(name="item", type="STRING"),
            ),
            buyer="user",
            product="item",
            timestamp=None,
            fingerprint="f00d",
        ),
        features=FeatureConfig(
            name=request.feature_config,
            dataset="ratings",
            buyer=(
                Feature(
                    column="user", data_type="text", transforms=("embed",), dim=16, primary=True
                ),
            ),
            product=(
                Feature(
                    column="item", data_type="text", transforms=("embed",), dim=32, primary=True
                ),
                Feature(column="price", data_type="numeric", transforms=("normalize",)),
            ),
        ),
        model=ModelConfig(
            name=request.model_config_name,
            type="retrieval",
            buyer_tower=Tower(layers=(Dense(units=64),)),
            product_tower=Tower(layers=(Dense(units=128), Dense(units=64))),
            output_dim=32,
            learning_rate=0.01,
        ),
        params=TrainingParams(
            sample_percent=request.sample_percent or 10,
            split=Split(kind=request.split, holdout_days=request.holdout_days),
            epochs=request.epochs,
            batch_size=request.batch_size or 256,
            learning_rate=request.learning_rate or 0.01,
            seed=request.seed,
        ),
        definition_hashes={"dataset": "d1", "feature_config": "f1", "model_config": "m1"},
        definitions=DEFINITIONS,
        rows=Rows(train=800, eval=150, test=50),
    )
