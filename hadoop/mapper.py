"""The mapper of the counting job for plain Hadoop Streaming, without mrjob: segments in, groups out.

On a cluster without frametally, ship `frametally_job.zip` with it; README.md has the whole command.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("frametally_job.zip")))

from frametally_hadoop.job.streaming import main

if __name__ == "__main__":
    sys.exit(main("mapper"))
