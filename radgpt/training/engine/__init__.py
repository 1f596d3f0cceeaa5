"""What training runs on: DeepSpeed, FSDP2, ranks that meet."""
