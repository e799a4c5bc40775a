"""Exports of any CRM, by a mapping file."""
