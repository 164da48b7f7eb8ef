"""Customers and their invoices, and the jobs that work for them."""
