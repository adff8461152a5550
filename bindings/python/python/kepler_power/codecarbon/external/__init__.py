"""What scripts import from ``codecarbon.external``."""
