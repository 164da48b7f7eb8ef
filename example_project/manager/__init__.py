"""The job manager: a page of its own, outside the admin, that lives on the REST API."""
