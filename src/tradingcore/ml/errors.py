from tradingcore.kernel.errors import InvalidInput, NotFound, RuleViolation, Unavailable


class ModelNotFound(NotFound):
    code = "ml.model_not_found"
    title = "Model not found"


class ForecastNotFound(NotFound):
    code = "ml.forecast_not_found"
    title = "Forecast not found"


class HorizonNotServed(NotFound):
    """There is no model of this horizon for the series."""

    code = "ml.horizon_not_served"
    title = "Horizon not served"


class NotEnoughHistory(RuleViolation):
    """Fewer candles than the features or the training need. The message says how many are there and how many are needed."""

    code = "ml.not_enough_history"
    title = "Not enough history"


class DataUnfit(RuleViolation):
    """The candles fail the data gate: unsorted, constant, or otherwise nothing to learn from."""

    code = "ml.data_unfit"
    title = "Data unfit for training"


class BundleRefused(RuleViolation):
    """A bundle that must not be served: a changed byte, an unknown feature spec, no baseline metrics, a newer library."""

    code = "ml.bundle_refused"
    title = "Model bundle refused"


class FeatureSpecMismatch(InvalidInput):
    """A row of one feature spec was given to a model of another."""

    code = "ml.feature_spec_mismatch"
    title = "Feature spec mismatch"


class BlobNotFound(Unavailable):
    code = "ml.blob_not_found"
    title = "Blob not found"
