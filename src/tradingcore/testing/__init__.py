"""For authors of adapters and of tests: contract suites, builders, and fakes for time, ids and secrets.

A contract suite is a class of tests for one port. To prove an adapter, subclass it in a test module and supply its fixtures::

    from tradingcore.testing.trading import CandleStoreContract

    class TestMyCandleStore(CandleStoreContract):
        @pytest.fixture
        def store(self) -> CandleStore:
            return MyCandleStore(...)

Each suite names the fixtures that it asks for. A fixture must give a store that is empty, or one that holds nothing of the
suite's own rows. Suites need the extra ``testing``: ``pip install 'tradingcore[testing]'``.
"""
