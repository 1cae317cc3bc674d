"""What happens, for those who watch: figures, lines in the log, and (traces.py) spans."""

from .lines import Lines as Lines
from .prometheus import Metrics as Metrics
from .several import several as several
