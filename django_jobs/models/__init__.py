"""What is stored. Verbs on a job only delegate to the client."""

from .counter import Counter
from .job import Job
from .lease import Lease
from .queue import Queue
from .server import Server
from .state import JobState

__all__ = ["Counter", "Job", "JobState", "Lease", "Queue", "Server"]
