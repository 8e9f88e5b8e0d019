"""Transform on this machine: TFX's component whose executor learns from all rows at once.

TFX's own executor writes a graph "in place" when nothing has to be analysed, materialised or
counted, but takes vocabulary tables for something to analyse. Here that is decided already: what is
learnt are constants and files, so the graph is written at once, by the same functions of TFT.
"""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow_transform as tft
from tensorflow_transform import impl_helper
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils
from tfx.components.transform.component import Transform
from tfx.dsl.components.base import base_beam_executor, executor_spec
from tfx.types import artifact_utils
from tfx.utils import io_utils, json_utils

from pipelines import example_columns
from pipelines.code_hash import code_hash
from pipelines.example_columns import read_split
from pipelines.learning import ExactLearner
from pipelines.preprocessing import preprocess

EXECUTOR_HASH = "executor_hash"


class InMemoryTransformExecutor(base_beam_executor.BaseBeamExecutor):
    """Writes the transform graph that `preprocessing_fn` describes, learnt from train."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write `transform_fn`, and the metadata of what goes in and comes out."""
        self._log_startup(input_dict, output_dict, exec_properties)
        config = json_utils.loads(exec_properties["custom_config"])
        schema_folder = artifact_utils.get_single_uri(input_dict["schema"])
        schema = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_folder))
        output = artifact_utils.get_single_uri(output_dict["transform_graph"])
        raw = tft.TFTransformOutput.RAW_METADATA_DIR
        metadata_io.write_metadata(dataset_metadata.DatasetMetadata(schema), f"{output}/{raw}")
        features = schema_utils.schema_as_feature_spec(schema).feature_spec
        types = impl_helper.get_type_specs_from_feature_specs(features)
        rows = read_split(input_dict["examples"], "train")
        with tempfile.TemporaryDirectory() as folder:
            learner = ExactLearner(rows, Path(folder))
            function = partial(preprocess, custom_config=config, learner=learner)
            impl_helper.analyze_in_place(function, False, features, types, output)


class InMemoryTransform(Transform):
    """TFX's Transform without Beam.

    Args:
        custom_config: of `preprocessing_fn`; the hash of this code is added for TFX's cache.
        properties: the others of TFX's component.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(InMemoryTransformExecutor)

    def __init__(
        self,
        *,
        custom_config: Mapping[str, Any],
        **properties: Any,  # noqa: ANN401 - TFX's
    ) -> None:
        code = {EXECUTOR_HASH: code_hash(__file__, example_columns.__file__)}
        super().__init__(custom_config={**custom_config, **code}, **properties)
