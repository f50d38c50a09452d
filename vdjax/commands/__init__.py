"""What the commands of the command line do, and their options; each imports what it needs late."""
