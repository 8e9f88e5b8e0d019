"""Runs of the pipeline in this process."""

from pathlib import Path

from engine.spec import ExperimentSpec


def execute(root: Path, spec: ExperimentSpec) -> None:
    """Run the pipeline with all that it leaves behind under one folder."""
    from pipelines.pipeline import create_pipeline

    # isort: split
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    pipeline = create_pipeline(
        spec,
        pipeline_root=str(root / "cache"),
        run_folder=str(root / "runs" / spec.uid),
        metadata_path=str(root / "metadata.db"),
    )
    LocalDagRunner().run(pipeline)
