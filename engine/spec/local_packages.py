"""What a local run imports beyond the base installation, and how it is installed."""

LOCAL_PACKAGES = {
    "tfx": "tfx",
    "tensorflow": "tensorflow",
    "tensorflow_recommenders": "tensorflow-recommenders",
    "tf_keras": "tf-keras",
    "ml_metadata": "ml-metadata",
    "scann": "scann",
    "dill": "dill",
}
"""Modules to the packages that bring them."""

INSTALL_HINT = (
    "Install the local extra: in the project's folder, `make` any target, "
    "or `uv pip install -r requirements/local.txt` (pip refuses TFX on 3.11)."
)
