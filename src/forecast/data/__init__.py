"""The data room: tables, where they come from, what was known on a day, a simulated company, the audit."""
