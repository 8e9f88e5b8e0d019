"""An engine with completed experiments, for comparing them."""

from engine.api import Engine
from engine.workspace import Workspace
from tests.engine.sample_plans import REQUEST, SamplePlanner
from tests.engine.scripted_backend import ScriptedBackend, ended, metrics_of


class Laboratory:
    """An engine whose experiments end as a test says."""

    def __init__(self, root):
        self.backend = ScriptedBackend()
        self.planner = SamplePlanner()
        self.engine = Engine(
            Workspace(root),
            start_worker=False,
            backends={"local": self.backend},
            planner=self.planner,
        )
        self.service = self.engine._experiments

    def completed(self, *, rows=None, metrics=None, **request):
        number = self.engine.create(REQUEST.replace(**request)).number
        uid = self.engine.get(number).uid
        self.service.submit_quick_test(number)
        self.backend.results[uid] = metrics or metrics_of()
        self.backend.put(uid, ended("completed"))
        self.service.poll_experiment_status(number)
        if rows is not None:
            self.backend.files[uid, "test_rows.parquet"] = rows
        return number
