#!/usr/bin/env bash
# Everything on this machine, as one family, until Ctrl-C: `frametally up`, with its options and its exit code.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=$here/.venv/bin/python
[ -x "$python" ] || python=$(command -v python3 || true)
if [ -z "$python" ] || ! "$python" -P -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("frametally_cli"))'; then
  echo "error: frametally is not installed here: run \`make setup\` in $here" >&2
  exit 2
fi
# In place of this shell, so that whoever ends it ends the family, which leaves nothing behind.
exec "$python" -m frametally up "$@"
