"""Models of other libraries as models of one's own: `statsmodels` for bookings by month, `sklearn` for open deals."""
