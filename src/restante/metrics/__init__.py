"""What happens, for Prometheus."""

from .prometheus import Metrics as Metrics
