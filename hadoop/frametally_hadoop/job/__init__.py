"""The MapReduce job, packed into the job's zip: uses only the standard library and mrjob."""
