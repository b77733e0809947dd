"""Work of many small steps that is done by as many threads at once as there are cores.

Each call into Arrow, Polars or NumPy lets go of the interpreter and takes it back. With dozens of
threads at it, they spend more time handing it around than on work: twice the time that it takes
one by one, and the more requests wait, the worse. What waits for disks, networks or DuckDB is not
of this kind, and nothing waits for it here.
"""

from __future__ import annotations

import os
import threading
from typing import Final

CORE: Final = threading.BoundedSemaphore(os.cpu_count() or 1)
"""Held for some milliseconds, and never while another one of it is taken."""
