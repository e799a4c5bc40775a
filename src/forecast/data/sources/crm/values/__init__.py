"""What stands in a CRM's export: which rows are its table; its dates, numbers and identifiers as they are meant."""
