"""`python -m frametally` is `frametally`."""

import sys

from frametally.cli import main

sys.exit(main())
