"""What is stored. Verbs on a job only delegate to the client."""

from .alert import Alert
from .batch import Batch, BatchCount
from .breach import Breach
from .checkpoint import Checkpoint
from .console import ConsoleLine, Metadata, Progress
from .counter import Counter
from .dependency import JobDependency
from .idempotency import IdempotencyKey
from .job import Job
from .lease import Lease
from .limit import Limit, Slot, Waiter
from .pages import Failure, Overview, WaitingRetry
from .queue import Queue
from .received import ReceivedEvent
from .recurring import RecurringJob
from .server import Server
from .state import JobState
from .tally import Bookmark, Tally

__all__ = [
    "Alert",
    "Batch",
    "BatchCount",
    "Bookmark",
    "Breach",
    "Checkpoint",
    "ConsoleLine",
    "Counter",
    "Failure",
    "IdempotencyKey",
    "Job",
    "JobDependency",
    "JobState",
    "Lease",
    "Limit",
    "Metadata",
    "Overview",
    "Progress",
    "Queue",
    "ReceivedEvent",
    "RecurringJob",
    "Server",
    "Slot",
    "Tally",
    "Waiter",
    "WaitingRetry",
]
