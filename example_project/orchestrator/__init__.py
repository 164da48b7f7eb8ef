"""An orchestrator in two processes: a client that has the API and no jobs' code, a server that has jobs and no web."""
