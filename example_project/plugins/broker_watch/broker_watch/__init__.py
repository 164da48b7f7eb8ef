"""A plug-in that looks whether the brokers answer whose addresses the host shares."""
