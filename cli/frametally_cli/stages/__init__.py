"""The work behind the commands of a stage; imports the component when a command runs."""
