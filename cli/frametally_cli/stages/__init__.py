"""What the commands of a stage do; imports the component when a command runs."""
