"""A run on this machine: the pipeline of one experiment, in the process that its supervisor forked.

Everything heavy is imported at the top, on purpose: the warm runner imports this module once, and
what it forks finds TensorFlow and TFX in memory.
"""

import logging
from pathlib import Path

from absl import logging as absl_logging

import pipelines.trainer  # noqa: F401  # pyright: ignore[reportUnusedImport] - TFX wants it by name
from engine.spec.run_folder import ComponentName
from pipelines.cache import SharedCache
from pipelines.component_logs import ComponentLog
from pipelines.errors import explain
from pipelines.local_runner import ComponentResult, LocalRunner
from pipelines.pipeline import create_pipeline
from pipelines.run_files import ComponentBoard, copy_folder, read_spec

CACHE = "cache"
_COPIES = {
    "Stats": ("statistics", "", "statistics"),
    "Schema": ("schema", "", "schema"),
    "Transform": ("transform_graph", "transform_fn/assets", "vocabularies"),
}
"""By component: an output, the folder in it to copy, and where in the run folder to."""

_log = logging.getLogger(__name__)


def main(run_folder: Path) -> None:
    """Run the experiment of a run folder.

    Raises:
        RunFailure: a component failed.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    absl_logging.set_verbosity(absl_logging.WARNING)
    spec = read_spec(run_folder)
    board = ComponentBoard(run_folder)
    cache = SharedCache(run_folder.parent.parent / CACHE, runs=run_folder.parent)
    with cache.locked():
        cache.prepare()
        pipeline = create_pipeline(
            spec,
            pipeline_root=str(cache.folder),
            run_folder=str(run_folder),
            metadata_path=str(cache.metadata_path),
        )
        runner = LocalRunner(
            run_id=f"{spec.uid}-a{spec.attempt}",
            run_folder=run_folder,
            listener=_Recorder(run_folder, board, cache),
        )
        runner.run(pipeline)


class _Recorder:
    """Writes each component's state and log, its manifest in the cache, and what the run keeps."""

    def __init__(self, folder: Path, board: ComponentBoard, cache: SharedCache) -> None:
        self._folder = folder
        self._board = board
        self._cache = cache
        self._component_log: ComponentLog | None = None

    def started(self, name: ComponentName) -> None:
        self._board.start(name)
        self._component_log = ComponentLog(self._folder, name).listen()
        _log.info("%s starts", name)

    def completed(self, name: ComponentName, result: ComponentResult) -> None:
        if not result.cached:
            uris = [uri for uris in result.outputs.values() for uri in uris]
            self._cache.add(result.execution_id, name, uris)
        if name in _COPIES:
            key, inside, target = _COPIES[name]
            source = Path(result.outputs[key][0]) / inside
            if source.is_dir():
                copy_folder(source, self._folder / target)
        self._board.complete(name, cached=result.cached, outputs=result.outputs)
        seconds = self._board.duration_seconds(name)
        _log.info("%s %s", name, "is cached" if result.cached else f"ends after {seconds:.1f} s")
        self._end_log()

    def failed(self, name: ComponentName, error: Exception) -> None:
        self._board.fail(name)
        _log.error("%s failed: %s", name, explain(error).message, exc_info=error)
        self._end_log()

    def _end_log(self) -> None:
        if self._component_log is not None:
            self._component_log.close()
            self._component_log = None
