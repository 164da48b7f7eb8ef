"""What is to be expected: run times, waits, and when queues and batches are through. All reads; each may be None.

An estimate is told from what runs of the types have taken. None means that too little is known, or that the answer
hangs on something that no history tells: nobody takes the queue, say, or the job is paused.
"""

from .collisions import Collision, collisions
from .lasting import Lasting, duration, lasting
from .spans import Span
from .waiting import batch_end, drain, drains, end, start

__all__ = [
    "Collision",
    "Lasting",
    "Span",
    "batch_end",
    "collisions",
    "drain",
    "drains",
    "duration",
    "end",
    "lasting",
    "start",
]
