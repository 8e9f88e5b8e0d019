"""StatisticsGen on this machine: a component that looks at a split as a whole.

TFDV computes statistics of one Arrow batch without Beam by the same generators.
"""

import os
from collections.abc import Sequence
from typing import Any

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import tensorflow as tf
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tfx.components.statistics_gen.executor import (
    DEFAULT_FILE_NAME,
    SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME,
)
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.types import BaseChannel, Channel, artifact_utils, component_spec, standard_artifacts
from tfx.types.standard_component_specs import StatisticsGenSpec
from tfx.utils import json_utils

from pipelines import example_columns
from pipelines.code_hash import code_hash
from pipelines.example_columns import read_split


class InMemoryStatisticsExecutor(base_beam_executor.BaseBeamExecutor):
    """Computes the statistics of each split that isn't excluded."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Write `FeatureStats.pb` of every split, as the stock executor does."""
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        statistics = artifact_utils.get_single_instance(output_dict["statistics"])
        excluded = json_utils.loads(exec_properties["exclude_splits"]) or []
        names = artifact_utils.decode_split_names(examples.split_names)
        splits = [split for split in names if split not in excluded]
        statistics.split_names = artifact_utils.encode_split_names(splits)
        statistics.span = examples.span
        rates = json_utils.dumps(dict.fromkeys(splits, 1.0))
        statistics.set_json_value_custom_property(SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME, rates)
        for split in splits:
            found = generate_statistics_in_memory(read_split([examples], split))
            folder = artifact_utils.get_split_uri([statistics], split)
            tf.io.gfile.makedirs(folder)
            with tf.io.gfile.GFile(os.path.join(folder, DEFAULT_FILE_NAME), "wb") as file:
                file.write(found.SerializeToString())


class InMemoryStatisticsSpec(StatisticsGenSpec):
    """StatisticsGen's properties, and the hash of this code: so TFX's cache knows it."""

    PARAMETERS = {  # noqa: RUF012 - TFX's name
        **StatisticsGenSpec.PARAMETERS,
        "code_hash": component_spec.ExecutionParameter(type=str),
    }


class InMemoryStatisticsGen(base_beam_component.BaseBeamComponent):
    """StatisticsGen without Beam.

    Args:
        examples: the channel of an ExampleGen.
        exclude_splits: names of the splits without statistics.
    """

    SPEC_CLASS = InMemoryStatisticsSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(InMemoryStatisticsExecutor)

    def __init__(self, examples: BaseChannel, exclude_splits: Sequence[str]) -> None:
        spec = InMemoryStatisticsSpec(
            examples=examples,
            exclude_splits=json_utils.dumps(list(exclude_splits)),
            statistics=Channel(type=standard_artifacts.ExampleStatistics),
            code_hash=code_hash(__file__, example_columns.__file__),
        )
        super().__init__(spec=spec)
