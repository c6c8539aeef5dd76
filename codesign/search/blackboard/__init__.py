"""The blackboard of a search: its jobs are trials in an Optuna storage, which workers anywhere take and finish."""

from codesign.search.blackboard.board import Board, WorkerRecord
from codesign.search.blackboard.lead import Blackboard, local_workers
from codesign.search.blackboard.storage import FORMS, Store, check_begun, check_shared
from codesign.search.blackboard.worker import Worker

__all__ = [
    "FORMS",
    "Blackboard",
    "Board",
    "Store",
    "Worker",
    "WorkerRecord",
    "check_begun",
    "check_shared",
    "local_workers",
]
