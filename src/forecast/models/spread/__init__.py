"""One function for many items: here, in processes of this machine, or on the workers of a Dask cluster."""
