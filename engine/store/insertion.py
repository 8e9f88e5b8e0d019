"""A plan becomes a stored experiment."""

import json
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from engine.lifecycle import QUEUED
from engine.planning import Plan
from engine.snapshots import FeatureView
from engine.spec import Cross, Feature
from engine.store import documents
from engine.store.models import ExperimentRow
from engine.store.search import searchable

DEFINITIONS: TypeAdapter[dict[str, dict[str, object]]] = TypeAdapter(dict[str, dict[str, object]])
"""The document of the definitions as written, by kind."""

WARNINGS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])
"""The document of what is worth telling before a run; missing where there is nothing."""


def add_experiment(
    session: Session, plan: Plan, uid: str, *, parent: int | None, now: datetime
) -> int:
    """Store a new experiment with its spec, request and definitions; return its number."""
    row = _row(plan, uid, parent, now)
    session.add(row)
    session.flush()
    documents.put(session, row.number, "spec", plan.spec(uid, row.number).model_dump_json())
    documents.put(session, row.number, "request", plan.request.model_dump_json())
    documents.put(session, row.number, "definitions", json.dumps(plan.definitions))
    if plan.warnings:
        documents.put(session, row.number, "warnings", json.dumps(plan.warnings))
    return row.number


def _row(plan: Plan, uid: str, parent: int | None, now: datetime) -> ExperimentRow:
    request, params, split, model = plan.request, plan.params, plan.params.split, plan.model
    stopping = params.early_stopping
    name = request.name or f"{request.feature_config} · {request.model_config_name}"
    sources = (plan.dataset, request.feature_config, request.model_config_name)
    return ExperimentRow(
        uid=uid,
        parent_number=parent,
        name=name,
        description=request.description,
        tags=list(request.tags),
        search_text=searchable("\n".join((name, request.description, *request.tags, *sources))),
        status="submitting",
        stage=QUEUED,
        progress=0.0,
        backend=request.backend,
        model_type=model.type,
        primary_metric=model.primary_metric,
        dataset=plan.dataset,
        feature_config=request.feature_config,
        model_config=request.model_config_name,
        dataset_hash=plan.definition_hashes["dataset"],
        feature_config_hash=plan.definition_hashes["feature_config"],
        model_config_hash=plan.definition_hashes["model_config"],
        data_fingerprint=plan.examples.fingerprint,
        sample_percent=params.sample_percent,
        sample_by=params.sample_by,
        split=split.kind,
        holdout_days=split.holdout_days,
        train_days=split.train_days,
        val_days=split.val_days,
        test_days=split.test_days,
        split_seed=params.split_seed,
        epochs=params.epochs,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        optimizer=model.optimizer,
        seed=params.seed,
        early_stopping_patience=stopping.patience if stopping else None,
        early_stopping_monitor=stopping.monitor if stopping else None,
        deterministic=params.deterministic,
        hardware=request.hardware,
        machine_type=params.machine_type,
        buyer_tower_structure=model.buyer_tower.structure(model.output_dim),
        product_tower_structure=model.product_tower.structure(model.output_dim),
        buyer_tensor_dim=plan.features.buyer_dim,
        product_tensor_dim=plan.features.product_dim,
        buyer_features=_features(plan.features.buyer_inputs),
        product_features=_features(plan.features.product_inputs),
        rows_train=plan.rows.train,
        rows_eval=plan.rows.eval,
        rows_test=plan.rows.test,
        created_at=now,
    )


def _features(features: tuple[Feature | Cross, ...]) -> list[dict[str, object]]:
    return [FeatureView.of(feature).model_dump(mode="json") for feature in features]
