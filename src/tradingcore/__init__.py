"""tradingcore: the pure-Python core of a trading, education and investment platform.

The package needs nothing but Python. Contexts live in sub-packages (``trading``, ``ml``, ``notifications``, ``auth``); what they
share lives in ``kernel``; rules that connect them live in ``processes``; contract suites for adapter authors in ``testing``.
"""

__version__ = "0.1.0"
