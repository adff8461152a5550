"""What scripts import from ``codecarbon.core``."""
