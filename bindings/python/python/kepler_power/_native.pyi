"""The compiled part. Its classes are re-exported by `kepler_power`, where users find them."""

__version__: str
