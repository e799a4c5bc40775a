"""Monthly series of what a snapshot knows, for a model of one's own: `monthly_bookings` and `monthly_leads`."""

from forecast.models.own.series import ahead, monthly_bookings, monthly_leads

__all__ = ["ahead", "monthly_bookings", "monthly_leads"]
