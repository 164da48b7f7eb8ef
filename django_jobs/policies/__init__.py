"""What becomes of a job besides its own doing: the policies that we ship."""
