"""The MapReduce job. Standard library and mrjob only: the job's zip contains this folder."""
