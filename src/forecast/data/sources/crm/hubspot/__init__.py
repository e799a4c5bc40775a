"""HubSpot: what its files and columns are called, and what they mean."""
