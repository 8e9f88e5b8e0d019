"""Runs a TFX pipeline in this process, one component after the other, and tells how it goes.

TFX's `LocalDagRunner` does the same in silence and with one root for all outputs. Here whatever
listens hears of each component, and components that belong to one experiment write to its run
folder and are never taken from the cache.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
from google.protobuf.message import Message
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils, tfx_runner
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from engine.spec.run_folder import TFX_NAMES, ComponentName
from pipelines.errors import RunFailure, explain

_OWNED: tuple[ComponentName, ...] = ("Train",)
"""Components whose outputs belong to one experiment."""


@dataclass(frozen=True)
class ComponentResult:
    """What a component ended with; `outputs` maps an output's key to its artifacts' paths."""

    execution_id: int
    cached: bool
    outputs: dict[str, tuple[str, ...]]


class Listener(Protocol):
    """Hears of each component as it starts and ends, in the order of the pipeline."""

    def started(self, name: ComponentName) -> None:
        """A component starts."""
        ...

    def completed(self, name: ComponentName, result: ComponentResult) -> None:
        """It has its outputs."""
        ...

    def failed(self, name: ComponentName, error: Exception) -> None:
        """It, or what was done when it completed, raised an exception."""
        ...


class LocalRunner(tfx_runner.IrBasedRunner):
    """Runs one experiment's pipeline.

    Args:
        run_id: name of the run in ML Metadata.
        run_folder: root of the outputs that belong to the experiment.
        listener: hears how it goes.
    """

    def __init__(self, *, run_id: str, run_folder: Path, listener: Listener) -> None:
        self._run_id = run_id
        self._run_folder = run_folder
        self._listener = listener

    def run_with_ir(
        self,
        pipeline: pipeline_pb2.Pipeline,
        run_options: pipeline_pb2.RunOptions | None = None,
        **_: object,
    ) -> None:
        """Run the compiled pipeline; TFX's `run` calls this.

        Raises:
            RunFailure: a component failed; names it.
        """
        if run_options is not None:
            raise NotImplementedError("A local run always runs the whole pipeline.")
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: self._run_id}
        )
        for node in pipeline.nodes:
            name = TFX_NAMES[node.pipeline_node.node_info.id]
            self._listener.started(name)
            try:
                result = self._launch(pipeline, node.pipeline_node, owned=name in _OWNED)
                self._listener.completed(name, result)
            except Exception as error:
                self._listener.failed(name, error)
                cause = explain(error)
                raise RunFailure(cause.message, hint=cause.hint, component=name) from error

    def _launch(
        self, pipeline: pipeline_pb2.Pipeline, node: pipeline_pb2.PipelineNode, *, owned: bool
    ) -> ComponentResult:
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        connections = deployment.metadata_connection_config
        connection = getattr(connections, connections.WhichOneof("connection_config"))
        runtime = pipeline_pb2.PipelineRuntimeSpec()
        runtime.CopyFrom(pipeline.runtime_spec)
        if owned:
            runtime.pipeline_root.field_value.string_value = str(self._run_folder)
            node.execution_options.caching_options.enable_cache = False
        node_id = node.node_info.id
        execution = launcher.Launcher(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(connection),
            pipeline_info=pipeline.pipeline_info,
            pipeline_runtime_spec=runtime,
            executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
        ).launch()
        if execution is None or execution.execution_id is None:
            raise RunFailure("Its inputs are missing: the component before it left no output.")
        return _result(connection, execution.execution_id)


def _result(connection: Message, execution_id: int) -> ComponentResult:
    """Return what ML Metadata knows; after a cache hit the launcher itself names wrong paths."""
    with metadata.Metadata(connection) as handle:
        [execution] = handle.store.get_executions_by_id([execution_id])
        artifacts = execution_lib.get_output_artifacts(handle, execution_id)
    state = execution.last_known_state
    if state not in (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED):
        raise RunFailure("Its inputs are missing: the component before it left no output.")
    return ComponentResult(
        execution_id=execution_id,
        cached=state == mlmd.Execution.CACHED,
        outputs={
            key: tuple(artifact.uri for artifact in found) for key, found in artifacts.items()
        },
    )
