# The image in which Cloud Build compiles, Vertex AI runs the components and Dataflow its workers:
#   docker build --tag IMAGE .      or      gcloud builds submit --tag IMAGE .
# tests/cloud/test_image.py holds it against the pinned requirements.

# Equal to apache-beam in requirements/local.txt: Dataflow's launcher and SDK must match.
ARG BEAM_VERSION=2.72.0

FROM apache/beam_python3.11_sdk:${BEAM_VERSION} AS beam

# Debian 12, as TFX's and TensorFlow's compiled parts are tested on. Some packages are compiled.
FROM python:3.11-bookworm AS packages
COPY requirements/uv.txt requirements/local.txt /requirements/
# TFX 1.16 declares Python below 3.11 but works: uv ignores the upper bound, pip refuses.
RUN pip install --no-cache-dir --require-hashes --requirement /requirements/uv.txt \
    && uv venv --python /usr/local/bin/python /opt/towerlab \
    && uv pip sync --python /opt/towerlab/bin/python --require-hashes --compile-bytecode \
       /requirements/local.txt

FROM python:3.11-slim-bookworm
COPY --from=packages /opt/towerlab /opt/towerlab
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY engine /opt/source/engine
COPY pipelines /opt/source/pipelines
# Dataflow's boot would otherwise make a virtual environment at each start.
ENV PATH=/opt/towerlab/bin:$PATH \
    PYTHONPATH=/opt/source \
    PYTHONUNBUFFERED=1 \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    TF_USE_LEGACY_KERAS=1
RUN python -m compileall -q /opt/source
# Root: Cloud Build mounts /workspace, and Dataflow its worker's folders, as root's.
ENTRYPOINT ["/opt/apache/beam/boot"]
