"""Tables become pictures, pages and a month: notebooks run, exported and published."""
