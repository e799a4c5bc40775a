"""What will be booked: open pipeline, pipeline to come, draws."""
