"""What stands in the cells of a CRM's export and above them: names, dates, numbers, money, identifiers, stages."""
