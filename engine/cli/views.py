"""What commands print about experiments: a list, one experiment, its result, its history."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.cli.output import (
    clipped,
    fields,
    foreign,
    indented,
    status_icon,
    status_text,
    table,
)
from engine.cli.progress import component_result
from engine.formats import age, clock, duration, epochs_text, figure
from engine.metric_names import (
    RECALL_AT_100,
    Standing,
    in_results,
    metric_label,
    reference_label,
    standing,
)
from engine.snapshots import ExperimentDetail, ExperimentSummary, TowerView, TrainingHistory
from engine.spec.run_folder import Interval
from engine.text import safe_line

_STANDINGS: dict[Standing, tuple[str, str]] = {
    "better": ("▲", "green"),
    "worse": ("▼", "red"),
    "alike": ("≈", "dim"),
}
_ONE_LINE_WIDTH = 100
_FIRST_LINE = 3
"""Components on the first line of a narrow terminal."""


def experiment_list(
    items: Sequence[ExperimentSummary], total: int, *, now: datetime, to: Console
) -> Group:
    """Return a table of experiments with their age, and how many there are besides."""
    datasets = {item.dataset for item in items}
    named = any(_own_name(item) for item in items)
    headings = ("#", "Status", "Name", "Configs", "Result", "Δ", "Age")
    made = table(
        headings if named else [heading for heading in headings if heading != "Name"],
        right=("#", "Result", "Δ", "Age"),
        shrink=("Name",) if named and len(datasets) == 1 else ("Name", "Configs"),
    )
    for item in items:
        configs = f"{item.feature_config} · {item.model_config_name}"
        made.add_row(
            str(item.number),
            _list_status(item, to=to),
            *([clipped(_own_name(item))] if named else []),
            clipped(configs if len(datasets) == 1 else f"{item.dataset} · {configs}"),
            _primary(item),
            _difference(item.difference),
            age(item.created_at, now),
        )
    of_dataset = f" of {datasets.pop()}" if len(datasets) == 1 else ""
    known = any(item.difference for item in items)
    legend = "   Δ: against popularity, or bias (▲ better)" if known else ""
    return Group(made, foreign(f"{len(items)} of {total:,} experiments{of_dataset}{legend}", "dim"))


def experiment_overview(seen: ExperimentDetail, *, to: Console) -> Group:
    """Return everything about an experiment that fits a screen."""
    heading = Text.assemble(
        (f"#{seen.number}  ", "bold"),
        status_text(seen.intent or seen.status, to=to),
        f" {duration(seen.duration_seconds)}" if seen.duration_seconds is not None else "",
        f" ({seen.stage})" if seen.stage and not seen.ended else "",
        "  ",
        foreign(seen.name or f"{seen.feature_config} · {seen.model_config_name}", "bold"),
    )
    parts: list[RenderableType] = [heading]
    if seen.error:
        parts += [Text(), *_error(seen)]
    parts += [Text(), indented(fields(_facts(seen, to=to)))]
    if result := result_view(seen):
        parts += [Text(), result]
    return Group(*parts)


def result_view(seen: ExperimentDetail) -> Group | None:
    """Return the metrics beside the baseline's and what they are worth; None without metrics."""
    metrics = [m for m in in_results(seen.primary_metric) if getattr(seen.metrics, m) is not None]
    if not metrics:
        return Group(*(foreign(v) for v in seen.verdicts)) if seen.verdicts else None
    others = [*([seen.baseline] if seen.baseline else []), *seen.references.values()]
    names = [reference_label(other.name) for other in others]
    made = table(("", "model", *names), right=("model", *names))
    if seen.interval:
        made.add_column(f"{seen.interval.level:.0%} interval", no_wrap=True)
    for name in metrics:
        is_primary = seen.interval is not None and seen.interval.metric == name
        made.add_row(
            metric_label(name),
            figure(getattr(seen.metrics, name)),
            *(figure(getattr(other, name, None)) for other in others),
            *([_bounds(seen.interval)] if is_primary and seen.interval else []),
            style="bold" if is_primary else "",
        )
    return Group(indented(made), Text(), *(foreign(v) for v in seen.verdicts))


def failure_view(seen: ExperimentDetail) -> Group:
    """Return why an experiment has no result."""
    return Group(*_error(seen)) if seen.error else Group(Text(f"#{seen.number} was {seen.status}."))


def history_table(history: TrainingHistory) -> Table:
    """Return a row an epoch: losses, gradient norms, and what else was measured."""
    measured = history.epoch_metrics
    headings = ("Epoch", "Loss", "Val loss", "Total loss", "Gradient", "buyer", "product")
    headings = (*headings, *(safe_line(name, limit=40) for name in measured))
    made = table(headings, right=headings)
    norms = history.gradient_norms
    for i, epoch in enumerate(history.epochs):
        made.add_row(
            str(epoch + 1),
            figure(history.loss.train[i]),
            figure(history.loss.val[i]),
            figure(history.loss.total[i]),
            figure(norms.total[i]),
            figure(norms.query[i]),
            figure(norms.candidate[i]),
            *(figure(values[i]) for values in measured.values()),
        )
    return made


def _own_name(item: ExperimentSummary) -> str:
    """Return a name that says more than the configs do; else nothing."""
    return "" if item.name == f"{item.feature_config} · {item.model_config_name}" else item.name


def _list_status(item: ExperimentSummary, *, to: Console) -> Text:
    shown = status_text(item.intent or item.status, to=to)
    if item.status == "running" and item.progress is not None and not item.intent:
        shown.append(f" {item.progress:.0%}")
    return shown


def _difference(difference: Interval | None) -> Text:
    """Return a difference, green or red where its interval leaves zero out."""
    if difference is None:
        return Text("")
    icon, style = _STANDINGS[standing(difference.metric, difference.low, difference.high)]
    return Text(f"{icon} {difference.value:+.3f}", style)


def _primary(item: ExperimentSummary) -> str:
    """Return the metric that the experiment is judged by, with its name in short."""
    metric = item.primary_metric
    value = getattr(item.metrics, metric)
    if value is None:
        return figure(None)
    return f"{'R@100' if metric == RECALL_AT_100 else 'RMSE'} {figure(value)}"


def _bounds(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _error(seen: ExperimentDetail) -> Iterable[RenderableType]:
    if seen.error is None:
        return
    where = f"{seen.error.component}: " if seen.error.component else ""
    yield Text.assemble((where, "red"), foreign(seen.error.message, "red", limit=1_000))
    if seen.error.hint:
        yield foreign(seen.error.hint, limit=1_000)


def _facts(seen: ExperimentDetail, *, to: Console) -> Iterable[tuple[str, Text | str]]:
    if seen.description:
        yield "description", seen.description
    if seen.tags:
        yield "tags", ", ".join(seen.tags)
    yield "dataset", seen.dataset
    yield "features", seen.feature_config
    yield "  buyer", _tower(seen.definitions.buyer)
    yield "  product", _tower(seen.definitions.product)
    yield "model", f"{seen.model_config_name} ({seen.model_type})"
    yield "  towers", f"{seen.definitions.buyer.structure} | {seen.definitions.product.structure}"
    yield "training", _training(seen)
    if seen.rows:
        rows = seen.rows
        missing = seen.rows_without_target
        untold = f" ({missing:,} without target)" if missing else ""
        yield "rows", f"train {rows.train:,} · eval {rows.eval:,} · test {rows.test:,}{untold}"
    if seen.seen_in_train:
        known = seen.seen_in_train
        yield (
            "test rows",
            (
                f"{known.buyers:.0%} of known buyers, {known.products:.0%} of known products,"
                f" {known.pairs:.0%} bought before; {known.candidates:,} candidates"
            ),
        )
    if seen.index:
        yield "index", str(seen.index)
    yield "components", _components(seen, to=to)
    parent = f" · rerun of #{seen.parent}" if seen.parent else ""
    yield "created", f"{clock(seen.created_at)} · {seen.backend}{parent}"
    if seen.cloud.build_id:
        yield "build", seen.cloud.build_id
    if seen.cloud.pipeline_job_name:
        job = seen.cloud.pipeline_job_name.rpartition("/")[2]
        yield "job", f"{job} · Dataflow on {seen.params.machine_type}"
    if seen.artifacts_uri:
        yield "artifacts", seen.artifacts_uri


def _tower(tower: TowerView) -> str:
    features = ", ".join(f"{f.column} {f.tensor_dim}" for f in tower.features)
    return f"{tower.tensor_dim} dimensions: {features}"


def _training(seen: ExperimentDetail) -> str:
    params = seen.params
    days = {
        "random": "",
        "time-holdout": f" {params.split.holdout_days} days",
        "strict-time": f" {params.split.train_days}/{params.split.val_days}/"
        f"{params.split.test_days} days",
    }
    sample = f"{params.sample_percent:g}% of the {params.sample_by}s"
    epochs = epochs_text(params.epochs, seen.epochs_trained)
    return (
        f"{sample} · {params.split.kind}{days[params.split.kind]} split · {epochs}"
        f" · batch {params.batch_size:,} · {params.optimizer} {params.learning_rate:g}"
        f" · seed {params.seed}"
    )


def _components(seen: ExperimentDetail, *, to: Console) -> Text:
    """Return the components on one line, or on two where one would be too narrow for them."""
    line = Text()
    for i, component in enumerate(seen.components):
        if i:
            line.append("\n" if i == _FIRST_LINE and to.width < _ONE_LINE_WIDTH else "  ")
        shown = "cached" if component.cached else component.status
        line.append_text(status_icon(shown, to=to)).append(f" {component.name} ")
        line.append_text(component_result(component))
    return line
