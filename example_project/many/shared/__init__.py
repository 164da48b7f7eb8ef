"""What both applications can do: whichever is free does it."""
