"""The trained model on the test split, against references on the same rows.

`evaluate_retrieval` and `evaluate_ratings` measure one task each; `joined` makes one evaluation
of a multitask model's two.
"""

from pipelines.evaluation.candidates import Candidates, Interactions, candidates_of
from pipelines.evaluation.ratings import evaluate_ratings
from pipelines.evaluation.result import Evaluation, Shares, joined
from pipelines.evaluation.retrieval import evaluate_retrieval, recall_alone
from pipelines.metrics import UNKNOWN

__all__ = [
    "UNKNOWN",
    "Candidates",
    "Evaluation",
    "Interactions",
    "Shares",
    "candidates_of",
    "evaluate_ratings",
    "evaluate_retrieval",
    "joined",
    "recall_alone",
]
