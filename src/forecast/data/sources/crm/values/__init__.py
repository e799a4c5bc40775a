"""What stands in the cells of a CRM's export: dates, numbers, money and identifiers, each as it is meant."""
