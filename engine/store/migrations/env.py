"""Alembic's entry: runs the migrations on the connection that `engine.store.schema` hands over.

To write a new one: change the models, then `alembic -c alembic.ini revision --autogenerate` is not
needed; write `versions/NNNN_what.py` by hand and let `tests/engine/store/test_schema.py` compare.
"""

from alembic import context

from engine.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a column by copying its table
)
with context.begin_transaction():
    context.run_migrations()
