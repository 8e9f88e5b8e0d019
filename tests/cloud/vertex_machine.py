"""Runs a compiled pipeline job as Vertex AI does: task by task, each as its container's command.

    python -m tests.cloud.vertex_machine JOB.json RESULT.json [--swap TASK=CLASS] [--only TASK]

The commands run unmodified but for the Beam runner, which becomes the one in memory. The outputs of
every task go to RESULT.json; a line of `Event` on stdout tells when a task starts and ends.
Importing TFX takes 20 s a process, so the tasks are forked from one that has imported it.
"""

import argparse
import json
import os
import re
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any, Literal

import pipelines.tf_environment  # noqa: F401

# isort: split
import tensorflow as tf

from tests.cloud.vertex_events import Event

_DATAFLOW = "--runner=DataflowRunner"
_IN_MEMORY = "--runner=apache_beam.runners.portability.fn_api_runner.fn_runner.FnApiRunner"
_PROJECT_NUMBER = "123456789"
_PLACEHOLDER = re.compile(r"\{\{\$[^}]*\}\}")
_MODULES = (
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
    "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver",
)

Json = dict[str, Any]


class VertexMachine:
    """Runs the tasks of one job.

    Args:
        job: `PipelineJob` as JSON, schema 2.0.0; its output directory may be any folder.
        job_id: of the job.
        swapped: executor classes by task, in place of the job's.
    """

    def __init__(self, job: Json, *, job_id: str, swapped: dict[str, str]) -> None:
        self._spec = job["pipelineSpec"]
        root = job["runtimeConfig"]["gcsOutputDirectory"]
        self._run = f"{root}/{_PROJECT_NUMBER}/{job_id}"
        self._job_id = job_id
        self._swapped = swapped
        self.outputs: dict[str, dict[str, Json]] = {}

    def run(self, only: str | None) -> None:
        """Run every task, or one that needs no other, after those that it depends on."""
        tasks = dict(self._spec["root"]["dag"]["tasks"])
        if only is not None:
            tasks = {only: tasks[only]}
        while tasks:
            ready = [
                name
                for name, task in tasks.items()
                if not set(task.get("dependentTasks", ())) & tasks.keys()
            ]
            assert ready, f"{sorted(tasks)} wait for each other"
            for name in ready:
                self._run_task(name, tasks.pop(name))

    def _run_task(self, name: str, task: Json) -> None:
        component = self._spec["components"][task["componentRef"]["name"]]
        executor = self._spec["deploymentSpec"]["executors"][component["executorLabel"]]
        container = executor["container"]
        given = self._executor_input(name, task, component)
        _tell(name, "starts")
        driver = container.get("lifecycle", {}).get("preCacheCheck")
        if driver:
            said = self._execute(f"{name}.driver", driver, given)
            for key, value in said.get("parameterValues", {}).items():
                given["inputs"]["parameters"][key] = _as_value(value)
        self._execute(name, container, given)
        self.outputs[name] = {
            key: found["artifacts"][0] for key, found in given["outputs"]["artifacts"].items()
        }
        _tell(name, "ends", {key: found["uri"] for key, found in self.outputs[name].items()})

    def _executor_input(self, name: str, task: Json, component: Json) -> Json:
        """Return what the service fills in for `{{$}}`."""
        inputs = task.get("inputs", {})
        folder = f"{self._run}/{name}_{len(self.outputs) + 1}"
        artifacts = component.get("outputDefinitions", {}).get("artifacts", {})
        return {
            "inputs": {
                "parameters": {
                    key: given["runtimeValue"]["constantValue"]
                    for key, given in inputs.get("parameters", {}).items()
                },
                "artifacts": {
                    key: {"artifacts": [self._produced(given["taskOutputArtifact"])]}
                    for key, given in inputs.get("artifacts", {}).items()
                },
            },
            "outputs": {
                "artifacts": {
                    key: {"artifacts": [self._new_artifact(f"{folder}/{key}", defined)]}
                    for key, defined in artifacts.items()
                },
                "outputFile": f"{folder}/executor_output.json",
            },
        }

    def _produced(self, source: Json) -> Json:
        return self.outputs[source["producerTask"]][source["outputArtifactKey"]]

    def _new_artifact(self, uri: str, defined: Json) -> Json:
        name = f"projects/{_PROJECT_NUMBER}/artifacts/{abs(hash(uri))}"
        return {"name": name, "type": defined["artifactType"], "uri": uri, "metadata": {}}

    def _execute(self, label: str, container: Json, given: Json) -> Json:
        """Run one command; merge what it says about its artifacts into `given`."""
        command = [self._filled_in(word, given) for word in container["command"]]
        args = [self._filled_in(word, given) for word in container.get("args", ())]
        args = [_IN_MEMORY if word == _DATAFLOW else word for word in args]
        if label in self._swapped:
            args[args.index("--executor_class_path") + 1] = self._swapped[label]
        assert command[1] == "-m", command
        assert command[2] in _MODULES, command
        _fork(command[2], args, label)
        with tf.io.gfile.GFile(given["outputs"]["outputFile"]) as file:
            said: Json = json.loads(file.read())
        for key, found in said.get("artifacts", {}).items():
            artifact = given["outputs"]["artifacts"][key]["artifacts"][0]
            artifact["metadata"] |= found["artifacts"][0].get("metadata", {})
        return said

    def _filled_in(self, word: str, given: Json) -> str:
        if word == "{{$}}":
            return json.dumps(given)
        filled = word.replace("{{$.pipeline_job_name}}", self._job_id)
        assert not _PLACEHOLDER.search(filled), f"unknown placeholder in {word}"
        return filled


def _tell(
    task: str, what: Literal["starts", "ends"], outputs: dict[str, str] | None = None
) -> None:
    print(Event(task, what, outputs or {}).line(), flush=True)


def _as_value(value: object) -> Json:
    if isinstance(value, str):
        return {"stringValue": value}
    return {"intValue": str(int(value))} if isinstance(value, (int, float)) else {}


def _fork(module: str, args: list[str], label: str) -> None:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sys.argv = [module, *args]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:  # noqa: BLE001 - a child's last word
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{label} ended with {code}")


def _import_once() -> None:
    import tfx.components.schema_gen.executor
    import tfx.components.statistics_gen.executor
    import tfx.components.trainer.executor
    import tfx.components.transform.executor
    import tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils  # noqa: F401

    import pipelines.trainer  # noqa: F401


def main() -> None:
    """Run a job; see the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--job-id", required=True)
    parser.add_argument("--swap", action="append", default=[])
    parser.add_argument("--only")
    given = parser.parse_args()
    swapped = dict(swap.split("=", 1) for swap in given.swap)
    job = json.loads(given.job.read_text("utf-8"))
    _import_once()
    machine = VertexMachine(job, job_id=given.job_id, swapped=swapped)
    machine.run(given.only)
    given.result.write_text(json.dumps(machine.outputs, indent=1))


if __name__ == "__main__":
    main()
