"""Dynamics 365 Sales: what its tables and views are called, and what they mean."""
