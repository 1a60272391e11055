"""Runs the counting job alone on any mrjob runner: `python object_counts.py manifest.txt`.

The manifest has a segment's URL on each line. `frametally aggregate` writes one, runs this job over it and
publishes the output.
"""

from frametally.process.collection import rare_collection
from frametally_hadoop.running.counting_job import CountObjects

if __name__ == "__main__":
    with rare_collection():
        CountObjects.run()
