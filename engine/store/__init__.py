"""The database: models, transactions, and what is read and written within them.

    with database.write() as session:
        experiments.advance(session, seen, "running")

`Database` opens sessions; the modules `experiments`, `documents`, `search` and `leases` work within
one, so that a caller decides what belongs to one transaction.
"""

from engine.store.database import Database, open_database

__all__ = ["Database", "open_database"]
