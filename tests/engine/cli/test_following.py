"""`logs --follow`: every line once, in order, and Google Cloud asked no more often than allowed."""

import pytest

from engine.cli.following import Follower
from engine.errors import EnvironmentNotReady, NotFound
from engine.snapshots import LogLine
from tests.engine.scripted_backend import START, at_component, ended
from tests.tui.harness import Shop


class Log:
    """The log of one experiment, which time and a test move on."""

    def __init__(self, shop, backend):
        self.run = shop.start()
        self.backend = backend
        self.engine = shop.engine
        self.asked = []
        self.told = []
        self.lines = {}
        self.error = None
        self.now = 0.0
        self.seen = self.run.is_at(at_component(0))

    def get(self, number):
        assert number == self.run.number
        return self.seen.model_copy(update={"backend": self.backend})

    def logs(self, number, component, *, limit):
        assert number == self.run.number
        self.asked.append((self.now, component))
        if self.error is not None:
            raise self.error
        return tuple(reversed(self.lines.get(component, ())))[:limit]

    def writes(self, component, *messages):
        for message in messages:
            self.lines.setdefault(component, []).append(
                LogLine(timestamp=START, severity="INFO", message=message, component=component)
            )

    def follower(self, component=None, limit=50):
        return Follower(
            self,
            self.run.number,
            component,
            limit,
            show=lambda line: self.told.append(line.message),
            remark=self.told.append,
            clock=lambda: self.now,
        )

    def passes(self, follower, seconds):
        ended = False
        for _ in range(round(seconds * 2)):
            ended = follower.look()
            self.now += 0.5
        return ended


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def test_lines_come_once_and_in_order(shop):
    log = Log(shop, "local")
    log.writes("Examples", "one", "two", "three")
    follower = log.follower(limit=2)
    log.passes(follower, 1)
    assert log.told == ["two", "three"]
    log.writes("Examples", "four")
    log.writes("Stats", "five")
    log.passes(follower, 1)
    assert log.told == ["two", "three", "four", "five"]
    log.writes("Stats", "six")
    log.seen = log.run.is_at(ended("completed"))
    assert log.passes(follower, 1)
    assert log.told[4:] == ["six"]


def test_the_cloud_is_asked_every_ten_seconds_for_what_is_at_work(shop):
    log = Log(shop, "vertex")
    follower = log.follower()
    log.seen = log.run.is_at(at_component(4))
    log.passes(follower, 30)
    first = [name for now, name in log.asked if now == 0]
    assert first == ["Examples", "Stats", "Schema", "Transform", "Train"]
    assert log.asked[5:] == [(10, "Train"), (20, "Train")]


def test_a_component_that_ended_is_read_once_more_and_one_that_waits_not_at_all(shop):
    log = Log(shop, "vertex")
    log.seen = log.run.is_at(at_component(0))
    follower = log.follower()
    log.passes(follower, 10)
    log.seen = log.run.is_at(at_component(1))
    log.passes(follower, 20)
    assert log.asked == [(0, "Examples"), (10, "Examples"), (10, "Stats"), (20, "Stats")]


def test_at_the_end_everything_is_read_at_once(shop):
    log = Log(shop, "vertex")
    follower = log.follower("transform")
    log.seen = log.run.is_at(at_component(3))
    log.passes(follower, 2)
    log.writes("Transform", "last words")
    log.seen = log.run.is_at(ended("completed"))
    assert log.passes(follower, 0.5)
    assert log.asked == [(0, "Transform"), (2, "Transform")]
    assert log.told == ["last words"]


def test_trouble_is_told_once_and_following_goes_on(shop):
    log = Log(shop, "vertex")
    log.error = EnvironmentNotReady("Nobody is signed in.", hint="Sign in.")
    follower = log.follower()
    log.passes(follower, 25)
    assert log.told == ["Nobody is signed in. Sign in."]
    assert [now for now, _ in log.asked] == [0, 10, 20]
    log.error = None
    log.writes("Examples", "here")
    log.passes(follower, 10)
    assert log.told[1:] == ["here"]
    log.error = EnvironmentNotReady("Gone again.")
    log.seen = log.run.is_at(ended("completed"))
    with pytest.raises(EnvironmentNotReady, match="Gone again"):
        follower.look()


def test_lines_that_are_not_fetched_are_told(shop):
    log = Log(shop, "vertex")
    follower = log.follower("Examples")
    log.writes("Examples", "first")
    log.passes(follower, 10)
    log.lines.clear()
    log.writes("Examples", *map(str, range(50)))
    log.passes(follower, 10)
    assert log.told[1] == "Examples wrote more than the 50 lines that are fetched."
    assert len(log.told) == 52


def test_no_such_component_is_told(shop):
    with pytest.raises(NotFound, match="There is no component 'Trein'"):
        Log(shop, "local").follower("Trein")
