"""Settings: the example documents every key with its default; mistakes get one clear sentence."""

import tomllib
from pathlib import Path

import pytest

from engine.config import Settings, load_settings
from engine.errors import InvalidInput

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def test_the_example_names_every_key_with_its_default():
    assert tomllib.loads(EXAMPLE.read_text()) == Settings().model_dump()


def test_an_empty_file_is_a_valid_configuration(tmp_path):
    (tmp_path / "config.toml").write_text("")
    assert load_settings(tmp_path / "config.toml") == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[worker]\npoll_secconds = 3\n", "worker.poll_secconds"),
        ("[worker]\npoll_seconds = 0\n", "worker.poll_seconds"),
        ("[worker]\npoll_seconds = nan\n", "worker.poll_seconds"),
        ("[local]\nwarm_runner = 'often'\n", "local.warm_runner"),
        ("[worker]\n\npoll_secs = 3\n", ":3: worker.poll_secs: unknown key. Did you mean"),
        ("[wroker]\n", ':1: wroker: unknown key. Did you mean "worker"?'),
        ("[worker]\npoll_seconds = 0\n", ":2: worker.poll_seconds: must be above 0."),
        ("[local]\nwarm_runner = 3\n", ":2: local.warm_runner: must be true or false."),
        ("[worker\n", "isn't valid TOML"),
        ("[cloud]\nregion = 'Warsaw'\n", ':2: cloud.region: must be the name of a region, as "eu'),
        ("[cloud]\nproject = 'My Shop'\n", "must be the id of a project"),
        ("[cloud]\nbucket = 'shop'\n", 'cloud.bucket: must be a bucket or a folder in one, as "gs'),
        ("[cloud]\nbucket = 'gs://shop/'\n", "without a slash at the end"),
        ("[cloud]\nimage = 'docker.io/me/towerlab'\n", "must be an image with its tag"),
        ("[cloud]\nservice_account = 'runner'\n", "must be the e-mail address of a service acc"),
        ("[cloud]\nnetwork = 'default'\n", "must be a VPC network as"),
        ("[cloud]\nsubnetwork = 'default'\n", "must be a subnetwork as"),
        ("[cloud]\ncompile = 'there'\n", "must be one of 'cloud-build', 'local', not \"there\""),
        ("[cloud]\nlabels = { Team = 'a' }\n", 'cloud.labels: has "Team" = "a": keys and values'),
        ("[cloud]\nlabels = { towerlab-job = 'a' }\n", 'what begins with "towerlab" is set by'),
        ("[cloud]\nregoin = 'a'\n", ':2: cloud.regoin: unknown key. Did you mean "region"?'),
        (
            "[cloud.endpoints]\nvertex = 'http://a:1'\n",
            ":2: cloud.endpoints.vertex: must be a host",
        ),
        ("[cloud.endpoints]\nstorage = 'a:1'\n", "cloud.endpoints.storage: must be an address"),
        ("[cloud.endpoints]\nlog = 'a:1'\n", ":2: cloud.endpoints.log: unknown key. Did you mean"),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path, text, said):
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load_settings(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_settings(path)


def test_settings_of_the_cloud_say_what_is_missing(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[cloud]\nproject = 'my-shop-123'\nbucket = 'gs://my-shop-123/a b'\n")
    with pytest.raises(InvalidInput, match="must be a bucket"):
        load_settings(path)
    path.write_text("[cloud]\nproject = 'my-shop-123'\nbucket = 'gs://my-shop-123/towerlab'\n")
    assert load_settings(path).cloud.missing == ("temp_bucket", "image")
