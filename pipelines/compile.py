"""`python -m pipelines.compile`: from a spec to a pipeline job, in a child process or Cloud Build.

All options are arguments, one each, and none has a default: what isn't said is an error, so that
no choice made elsewhere can be lost on the way. An option that may be absent is given empty.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.spec import ExperimentSpec
from engine.spec.cloud import CloudTarget, job_id
from pipelines.errors import RunFailure

_BAD_INPUT, _NOT_READY = 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the job, and with `--submit` create it; return the exit code."""
    given = parse(arguments)
    try:
        # TFX takes 20 s to import: wrong arguments are told before.
        target = target_of(given)
        spec = read_spec(given.spec, machine_type=given.machine_type)
        from pipelines.vertex_job import compile_job

        job = compile_job(spec, target)
        given.output.write_text(json.dumps(job, indent=1, sort_keys=True), encoding="utf-8")
    except RunFailure as failure:
        return _refuse(failure, _BAD_INPUT)
    if given.submit:
        from pipelines.submission import submit

        try:
            print(submit(job, target, job_id(spec.uid, spec.attempt)))
        except RunFailure as failure:
            return _refuse(failure, _NOT_READY)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options; one that isn't there ends the process with exit code 2."""
    parser = argparse.ArgumentParser(prog="pipelines.compile", allow_abbrev=False)
    parser.add_argument("--spec", required=True, metavar="PATH_OR_URI")
    parser.add_argument("--machine-type", required=True)
    for name in CloudTarget.model_fields:
        parser.add_argument("--" + name.replace("_", "-"), required=True)
    parser.add_argument("--output", required=True, type=Path, metavar="PATH")
    parser.add_argument("--submit", action="store_true", help="create the job, too")
    return parser.parse_args(arguments)


def target_of(given: argparse.Namespace) -> CloudTarget:
    """Return where the job will run.

    Raises:
        RunFailure: an option that must have a value is empty, or the labels aren't `key=value`.
    """
    values: dict[str, Any] = {
        name: getattr(given, name) or None for name in CloudTarget.model_fields if name != "labels"
    }
    try:
        return CloudTarget(**values, labels=_labels(given.labels))
    except ValidationError as error:
        option = "--" + str(error.errors()[0]["loc"][0]).replace("_", "-")
        raise RunFailure(f"{option} is missing.") from error


def read_spec(uri: str, *, machine_type: str) -> ExperimentSpec:
    """Read a spec from a path or a gs:// URI.

    Args:
        uri: where the spec is.
        machine_type: the type of Dataflow's workers that whoever asked knows of.

    Raises:
        RunFailure: it can't be read, isn't a spec, or has another machine type.
    """
    import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

    # isort: split
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(uri, "rb") as file:
            content: bytes = file.read()
    except tf.errors.OpError as error:
        raise RunFailure(f"The spec {uri} can't be read: {error.message}.") from error
    try:
        spec = ExperimentSpec.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise RunFailure(
            f"{uri} isn't a spec that this version understands: {place or 'JSON'}: "
            f"{error.errors()[0]['msg']}.",
            hint="Use a container image of the version that submits.",
        ) from error
    if spec.params.machine_type != machine_type:
        raise RunFailure(
            f"The build was asked for {machine_type or 'no machine type'}, the spec for "
            f"{spec.params.machine_type or 'none'}."
        )
    return spec


def _refuse(failure: RunFailure, exit_code: int) -> int:
    print(" ".join(part for part in (failure.message, failure.hint) if part), file=sys.stderr)
    return exit_code


def _labels(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise RunFailure(f'--labels is "{text}", but must be like "team=search,stage=test".')
    return {key: value for key, _, value in pairs}


if __name__ == "__main__":
    sys.exit(main())
