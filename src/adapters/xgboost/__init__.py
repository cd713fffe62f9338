"""Models of the coming range and of the barriers, trained by XGBoost and served from verified bundles."""
