"""Removing a run from Google Cloud: its entries in the cache, its objects, its job; in this order,
so that an attempt that ends on the way can be repeated.
"""

from engine.backends.vertex.cache_entries import CacheEntries
from engine.backends.vertex.clients import Clients
from engine.backends.vertex.jobs import Jobs, all_outputs
from engine.backends.vertex.record import Submission
from engine.backends.vertex.storage import Storage


def delete_run(
    clients: Clients,
    uid: str,
    submission: Submission,
    *,
    shared: frozenset[str],
    unused: frozenset[str],
) -> None:
    """Remove a run; absence is success.

    Args:
        clients: for its target.
        uid: of the run.
        submission: of the run.
        shared: folders of its outputs that other results rest on; they stay.
        unused: folders of other runs' outputs that nothing rests on any more.

    Raises:
        EnvironmentNotReady: Google doesn't answer; it may be repeated.
    """
    storage = Storage(clients)
    root = f"{submission.target.pipeline_root}/"
    owns = [f"{project}{submission.job_id}/" for project in storage.folders(root)]
    others = frozenset(folder for folder in unused if folder.startswith(root))
    stay = _kept_by_cache(clients, submission, owns, shared, others)
    storage.delete_prefix(f"{submission.target.run_uri(uid)}/")
    for own in owns:
        storage.delete_prefix(own, keep=(*shared, *stay))
    for folder in others - stay:
        storage.delete_prefix(folder)
    Jobs(clients).delete(submission.job_name)


def _kept_by_cache(
    clients: Clients,
    submission: Submission,
    owns: list[str],
    shared: frozenset[str],
    unused: frozenset[str],
) -> frozenset[str]:
    """Let the cache forget what is to be deleted; return the folders that it doesn't forget."""
    entries = CacheEntries(clients)
    job = Jobs(clients).get(submission.job_name)
    if job is not None:
        outputs = [
            output
            for output in all_outputs(job)
            if output.folder not in shared
            and (output.folder.startswith(tuple(owns)) or output.folder in unused)
        ]
        return entries.forget(outputs)
    # Somebody has deleted the job: Cloud Storage tells what its outputs were.
    storage = Storage(clients)
    tasks = {task for own in owns for task in storage.folders(own)} - shared
    uris = (uri.rstrip("/") for task in sorted(tasks | unused) for uri in storage.folders(task))
    return entries.forget(entries.find(uris))
