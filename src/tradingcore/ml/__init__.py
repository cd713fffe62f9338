"""Features, models and forecasts."""
