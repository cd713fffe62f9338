"""The ``tradingcore`` command."""


def main() -> None:
    """Entry point of the console script."""
    try:
        from entrypoints.cli.app import run
    except ModuleNotFoundError as error:
        raise SystemExit(f"the command line needs {error.name}: pip install 'tradingcore[cli]'") from None
    run()
