"""What every errand to the Hugging Face Hub shares: the process that runs it, its limits, and sentences for what goes wrong."""
