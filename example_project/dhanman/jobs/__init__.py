"""The services' job types, a module for each, with the recurring jobs of the handbook's tables."""

from . import common, community, events, inventory, others, payroll, purchase, sales

__all__ = ["common", "community", "events", "inventory", "others", "payroll", "purchase", "sales"]
