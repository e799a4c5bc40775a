"""The exports of CRMs."""
