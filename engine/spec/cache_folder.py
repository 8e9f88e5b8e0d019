"""The shared cache of a workspace's local runs, next to the folder of the run folders.

    metadata.db           ML Metadata: executions and artifacts of all runs
    lock                  flock held by a run for as long as it uses the cache; take it to delete
    manifests/<id>.json   `Manifest`: what a finished execution wrote; without one it doesn't count
    <component>/<output>/<id>/   TFX's outputs, ExampleGen to Transform

Folders and manifests may be deleted at any time while nobody holds the lock: a run checks
what is complete before it reuses anything.
"""

from engine.spec.base import Frozen

METADATA = "metadata.db"
CACHE_LOCK = "lock"
MANIFESTS = "manifests"


class Manifest(Frozen):
    """The outputs of one execution: path of each artifact, relative to the cache, and its files.

    `artifacts` maps an artifact's folder to the sizes in bytes of the files in it.
    """

    execution_id: int
    component: str
    artifacts: dict[str, dict[str, int]]
