"""What an export holds beside its deals: quotas, forecasts that people made, campaigns and leads."""
