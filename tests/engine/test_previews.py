"""Previews: hand-computed dimensions and weights."""

import threading

import pytest

from engine.api import Engine
from engine.errors import InvalidInput, NotFound
from engine.previews import tower_features, tower_preview
from engine.spec import BatchNorm, Cross, CrossPart, Dense, Dropout, Feature, LayerNorm, Tower
from engine.workspace import Workspace
from tests.engine.scripted_backend import ScriptedBackend

DEFINITIONS = """
[datasets.sales]
primary = "sales"
[datasets.sales.tables]
sales = "sales.csv"
[datasets.sales.roles]
buyer = "user"
product = "item"

[features.basic]
dataset = "sales"
[[features.basic.buyer]]
column = "user"
primary = true
dim = 4
[[features.basic.product]]
column = "item"
primary = true
[[features.basic.product]]
column = "price"
transforms = ["normalize", "bucketize"]
buckets = 5
dim = 3

[features.lost]
dataset = "sales"
[[features.lost.buyer]]
column = "user"
primary = true
[[features.lost.product]]
column = "item"
primary = true
[[features.lost.product]]
column = "gone"

[models.summed]
type = "retrieval"
combine = "sum"
output_dim = 12

[models.own]
type = "retrieval"
output_dim = 2
learning_rate = 0.01
batch_size = 64
buyer_tower = [{ kind = "dense", units = 3 }]
product_tower = [{ kind = "dense", units = 6, activation = "gelu" }]
"""


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "config.toml").touch()
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "all.toml").write_text(DEFINITIONS)
    rows = [f"u{i % 7},i{i % 9},{i}.5" for i in range(200)]
    (tmp_path / "sales.csv").write_text("\n".join(("user,item,price", *rows)))
    workspace = Workspace(tmp_path)
    with Engine(workspace, start_worker=False, backends={"local": ScriptedBackend()}) as engine:
        yield engine


def test_features_have_their_dimensions_and_vocabularies(engine):
    seen = engine.preview_features("basic")
    assert (seen.name, seen.dataset, seen.rows, seen.target) == ("basic", "sales", 200, None)
    (user,) = seen.buyer.features
    assert (user.column, user.data_type, user.primary) == ("user", "text", True)
    assert user.transforms == ("embedding of 4",)
    assert (user.vocabulary_size, user.tensor_dim) == (7, 4)
    assert user.embedding_parameters == (1 + 7 + 1) * 4
    item, price = seen.product.features
    assert (item.vocabulary_size, item.tensor_dim, item.embedding_parameters) == (9, 8, 11 * 8)
    assert price.transforms == ("z-score", "5 buckets, embedding of 3")
    assert (price.vocabulary_size, price.tensor_dim, price.primary) == (None, 1 + 3, False)
    assert price.embedding_parameters == (1 + 5) * 3
    assert (seen.buyer.tensor_dim, seen.product.tensor_dim) == (4, 12)
    assert seen.product.embedding_parameters == 88 + 18


def test_model_has_its_layers_and_weights(engine):
    model = engine.preview_model("own", engine.preview_features("basic"))
    described = [(layer.label, layer.output_dim, layer.parameters) for layer in model.buyer.layers]
    assert described == [("Dense 3 relu", 3, (4 + 1) * 3), ("Output 2", 2, (3 + 1) * 2)]
    described = [(layer.label, layer.parameters) for layer in model.product.layers]
    assert described == [("Dense 6 gelu", 13 * 6), ("Output 2", 7 * 2)]
    assert model.buyer.parameters == 15 + 8 + 36
    assert model.product.parameters == 78 + 14 + 106
    assert model.parameters == model.buyer.parameters + model.product.parameters
    assert (model.model_type, model.optimizer, model.learning_rate, model.batch_size) == (
        "retrieval",
        "adam",
        0.01,
        64,
    )
    assert model.retrieval.top_k == 100


def test_without_features_only_what_depends_on_them_is_open(engine):
    model = engine.preview_model("own")
    described = [(layer.label, layer.output_dim, layer.parameters) for layer in model.buyer.layers]
    assert described == [("Dense 3 relu", 3, None), ("Output 2", 2, 8)]
    assert model.buyer.input_dim is None
    assert model.buyer.parameters is None
    assert model.parameters is None


def test_every_kind_of_layer_counts_its_weights():
    layers = (Dropout(rate=0.25), BatchNorm(), Dense(units=5, activation="tanh"), LayerNorm())
    feature = Feature(column="at", data_type="temporal", transforms=("cyclical_yearly",))
    features = tower_features((feature,), {})
    assert features.features[0].transforms == ("yearly cycle",)
    tower = tower_preview(Tower(layers=layers), 3, features)
    described = [(layer.label, layer.output_dim, layer.parameters) for layer in tower.layers]
    assert described == [
        ("Dropout 0.25", 2, 0),
        ("Batch norm", 2, 8),
        ("Dense 5 tanh", 5, 15),
        ("Layer norm", 5, 10),
        ("Output 3", 3, 18),
    ]
    assert tower.parameters == 51


def test_crosses_have_a_table_of_their_hashes():
    parts = (
        CrossPart(column="city", data_type="text"),
        CrossPart(column="age", data_type="numeric", buckets=5),
    )
    cross = Cross(parts=parts, buckets=1_000, dim=3)
    (row,) = tower_features((cross,), {}).features
    assert (row.column, row.data_type, row.tensor_dim) == ("city × age", "cross", 3)
    assert row.transforms == ("cross of city × age (5 buckets), 1,000 hashes, embedding of 3",)
    assert (row.embedding_parameters, row.vocabulary_size) == (1_001 * 3, None)


def test_a_history_has_no_table_of_its_own():
    bought = Feature(
        column="bought",
        data_type="history",
        transforms=("average",),
        dim=8,
        max_length=50,
        vocabulary="item",
    )
    (row,) = tower_features((bought,), {"bought": 99}).features
    assert row.transforms == ("average of the last 50, shared with item",)
    assert (row.tensor_dim, row.embedding_parameters, row.vocabulary_size) == (8, 0, None)


def test_mistakes_are_told(engine):
    with pytest.raises(NotFound):
        engine.preview_features("none")
    with pytest.raises(NotFound):
        engine.preview_model("none")
    with pytest.raises(InvalidInput, match="gone"):
        engine.preview_features("lost")


def test_definitions_may_be_read_from_any_thread(engine, in_threads):
    found = in_threads(engine.definitions, 8)
    assert all(definitions == found[0] for definitions in found)
    assert set(found[0].models) == {"own", "summed"}


def test_changes_of_definitions_are_told_until_stopped(engine):
    stop, seen = threading.Event(), threading.Event()
    changed = []

    def on_change(definitions):
        changed.append(set(definitions.models))
        if "second" in definitions.models:
            seen.set()

    assert set(engine.definitions().models) == {"own", "summed"}
    watcher = threading.Thread(target=engine.watch_definitions, args=(stop, on_change))
    watcher.start()
    more = engine.workspace.definitions / "more.toml"
    more.write_text('[models.second]\ntype = "retrieval"\npreset = "minimal"\n')
    assert seen.wait(20)
    stop.set()
    watcher.join(20)
    assert not watcher.is_alive()
    assert changed[-1] == {"own", "summed", "second"}


def test_a_sum_shows_its_features_as_wide_as_it_adds_them_up(engine):
    model = engine.preview_model("summed", engine.preview_features("basic"))
    assert model.features is not None
    (user,) = model.features.buyer.features
    assert (user.tensor_dim, user.embedding_parameters) == (12, 12 * (1 + 7 + 1))
    assert [layer.label for layer in model.buyer.layers] == ["Sum 12"]
    assert model.buyer.layers[0].parameters == 0
