"""The MapReduce job. Standard library and mrjob only: the job's zip carries this folder."""
