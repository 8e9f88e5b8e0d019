"""Getting an experiment to Google Cloud, in a thread each: rows, spec, then its pipeline job.

Every step looks before it acts, so that starting again after a crash, a lost answer or a lost
network never makes a second job.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from engine.backends.run_reading import last_output
from engine.backends.vertex.builds import Builds
from engine.backends.vertex.clients import Clients
from engine.backends.vertex.jobs import Jobs
from engine.backends.vertex.record import Submission, Submissions
from engine.backends.vertex.storage import Storage
from engine.errors import EngineError, EnvironmentNotReady, InvalidInput
from engine.spec import ExperimentSpec, content_hash
from engine.spec.cloud import compile_arguments, compile_options
from engine.spec.run_folder import RUN_LOG, TEMPORARY, RunError

_JOIN_SECONDS = 1.0
"""How long a submission is waited for, so that a failure that comes at once is told at once."""
_COMPILE_SECONDS = 600.0
_WAITING = "Waiting for this machine"
_BAD_INPUT = 2
"""Exit code of the compile step when no repetition helps."""


class Submitter:
    """Submits experiments, each once at a time.

    Args:
        submissions: where they are claimed.
        clients_of: the clients for the target of a submission.
    """

    def __init__(
        self, submissions: Submissions, clients_of: Callable[[Submission], Clients]
    ) -> None:
        self._submissions = submissions
        self._clients_of = clients_of
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._steps: dict[str, str] = {}
        self._errors: dict[str, Exception] = {}
        self._failed: set[str] = set()
        self._compilers: dict[str, subprocess.Popen[bytes]] = {}
        self.turn = threading.Lock()
        """Held by whoever takes much of this machine's memory: one compiles, or writes rows."""

    def ensure(self, spec: ExperimentSpec) -> None:
        """Go on with a submission that was claimed, unless that is being done.

        Raises:
            EnvironmentNotReady: the last attempt came to nothing.
        """
        started: threading.Thread | None = None
        with self._lock:
            self._raise_error(spec.uid)
            if spec.uid not in self._threads:
                self._failed.discard(spec.uid)
                thread = threading.Thread(
                    target=self._submit, args=(spec,), name=f"submit {spec.uid}", daemon=True
                )
                started = None if self._threads else thread
                self._threads[spec.uid] = thread
                thread.start()
        if started is not None:  # of many, and of one that hangs, the others hear at the next look
            started.join(_JOIN_SECONDS)
            with self._lock:
                self._raise_error(spec.uid)

    def step(self, uid: str) -> str | None:
        """Return what a submission is at; None when nothing is being done for it."""
        with self._lock:
            return self._steps.get(uid) if uid in self._threads else None

    def has_failed(self, uid: str) -> bool:
        """Whether the last attempt came to nothing, and none has been made since."""
        with self._lock:
            return uid in self._failed

    def stop(self, uid: str) -> None:
        """Stop a compilation on this machine; the other steps see by themselves that they end."""
        with self._lock:
            process = self._compilers.get(uid)
        if process is not None and process.poll() is None:
            _signal(process, signal.SIGTERM)

    def _raise_error(self, uid: str) -> None:
        error = self._errors.pop(uid, None)
        if isinstance(error, EngineError):
            raise error
        if error is not None:
            raise EnvironmentNotReady(
                f"The experiment could not be submitted: {error}", hint="Run `towerlab doctor`."
            ) from error

    def _submit(self, spec: ExperimentSpec) -> None:
        try:
            submission = self._submissions.read(spec.uid)
            if submission is not None:
                _Attempt(self, spec, submission).run()
        except InvalidInput as error:
            failure = RunError(component="Examples", message=error.message, hint=error.hint)
            self._submissions.change(spec.uid, failure=failure)
        except Exception as error:  # noqa: BLE001 - told by whoever asks next
            with self._lock:
                self._errors[spec.uid] = error
                self._failed.add(spec.uid)
        finally:
            with self._lock:
                self._threads.pop(spec.uid, None)
                self._steps.pop(spec.uid, None)
                self._compilers.pop(spec.uid, None)

    def clients_of(self, submission: Submission) -> Clients:
        """Return the clients for the target of a submission."""
        return self._clients_of(submission)

    @property
    def submissions(self) -> Submissions:
        """Where submissions are claimed."""
        return self._submissions

    def at(self, uid: str, step: str) -> None:
        """Note what a submission is at."""
        with self._lock:
            self._steps[uid] = step

    def compiling(self, uid: str, process: subprocess.Popen[bytes]) -> None:
        """Note which process compiles an experiment."""
        with self._lock:
            self._compilers[uid] = process


class _Attempt:
    """One attempt to get an experiment's pipeline job made."""

    def __init__(self, submitter: Submitter, spec: ExperimentSpec, submission: Submission) -> None:
        self._submitter = submitter
        self._spec = spec
        self._submission = submission
        self._target = submission.target
        self._clients = submitter.clients_of(submission)
        self._storage = Storage(self._clients)
        self._jobs = Jobs(self._clients)
        self._folder = submitter.submissions.folder(spec.uid)

    def run(self) -> None:
        """Take every step that isn't taken yet, until somebody asks for the end.

        Raises:
            EngineError: it came to nothing; the next attempt goes on where this one ended.
        """
        if self._is_unwanted():
            return
        if self._jobs.get(self._submission.job_name) is not None:
            self._submitter.submissions.change(self._spec.uid, job_seen=True)
            return
        spec = self._with_rows()
        if self._is_unwanted():
            return
        self._submitter.at(spec.uid, "Sending the spec")
        content = spec.model_dump_json(indent=2).encode()
        self._storage.upload(self._target.spec_uri(spec.uid), content)
        if self._is_unwanted():
            return
        if self._submission.compile == "local":
            self._compile_here(spec)
        else:
            self._build(spec)

    def _is_unwanted(self) -> bool:
        now = self._submitter.submissions.read(self._spec.uid)
        return now is None or now.cancel_requested

    def _with_rows(self) -> ExperimentSpec:
        """Send the rows of a dataset outside BigQuery, and say in the spec where they are."""
        spec = self._spec
        if spec.examples.dialect == "bigquery":
            return self._with_fingerprint(spec)
        from engine.query.uploads import write_rows

        uri = self._target.rows_uri(spec.uid)
        drafts = self._folder / TEMPORARY / "rows"
        self._submitter.at(spec.uid, _WAITING)
        with self._submitter.turn:
            self._submitter.at(spec.uid, "Sending rows")
            try:
                for file in write_rows(spec.examples, drafts):
                    if self._is_unwanted():
                        break
                    self._storage.upload_file(f"{uri}/{file.relative_to(drafts).as_posix()}", file)
            finally:
                shutil.rmtree(drafts, ignore_errors=True)
        return spec.replace(examples=spec.examples.replace(rows_uri=uri))

    def _with_fingerprint(self, spec: ExperimentSpec) -> ExperimentSpec:
        """Let what is cached count for the tables as they are now."""
        self._submitter.at(spec.uid, "Looking at BigQuery's tables")
        there = self._clients.warehouse.fingerprint(spec.examples.queries.values())
        both = content_hash([spec.examples.fingerprint, there])
        return spec.replace(examples=spec.examples.replace(fingerprint=both))

    def _build(self, spec: ExperimentSpec) -> None:
        self._submitter.at(spec.uid, "Asking for a build")
        builds = Builds(self._clients)
        found = builds.find(self._submission.build_tag)
        build_id = found[0].id if found else builds.create(spec, self._submission)
        self._submitter.submissions.change(spec.uid, build_id=build_id)

    def _compile_here(self, spec: ExperimentSpec) -> None:
        local_spec = self._folder / TEMPORARY / "compiled.spec.json"
        local_spec.parent.mkdir(parents=True, exist_ok=True)
        local_spec.write_text(spec.model_dump_json(), encoding="utf-8")
        options = compile_options(self._target, spec, str(local_spec))
        output = self._folder / TEMPORARY / "job.json"
        log = self._folder / RUN_LOG
        arguments = [*compile_arguments(options), f"--output={output}", "--submit"]
        self._submitter.at(spec.uid, _WAITING)
        with self._submitter.turn:
            if self._is_unwanted():
                return
            self._submitter.at(spec.uid, "Compiling")
            code = _ended(self._compiler(arguments, log))
        self._judge(code, log)

    def _compiler(self, arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-m", "pipelines.compile", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                start_new_session=True,
            )
        self._submitter.compiling(self._spec.uid, process)
        return process

    def _judge(self, code: int, log: Path) -> None:
        if code == 0:
            self._submitter.submissions.change(self._spec.uid, job_seen=True)
        if code == 0 or self._is_unwanted():
            return
        said = last_output(log) or "it ended without a word"
        if code == _BAD_INPUT:
            raise InvalidInput(f"The pipeline could not be compiled: {said}")
        raise EnvironmentNotReady(
            f"The pipeline could not be compiled here: {said}",
            hint=f"{log} has more; `towerlab doctor` checks the machine.",
        )


def _signal(process: subprocess.Popen[bytes], signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.killpg(process.pid, signum)


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(_COMPILE_SECONDS)
    except subprocess.TimeoutExpired as error:
        _signal(process, signal.SIGKILL)
        process.wait()
        raise EnvironmentNotReady(
            f"Compiling the pipeline took longer than {_COMPILE_SECONDS / 60:.0f} minutes.",
            hint="Is the machine busy? It is tried again.",
        ) from error
