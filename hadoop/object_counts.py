"""The counting job by itself, on any of mrjob's runners: `python object_counts.py manifest.txt`.

The manifest has a segment's URL on each line. `frametally aggregate` writes one, runs this job over it and
publishes what comes out.
"""

from frametally_hadoop.running.counting_job import CountObjects

if __name__ == "__main__":
    CountObjects.run()
