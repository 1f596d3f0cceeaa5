"""What training runs on: GPUs and their data sheets, DeepSpeed, FSDP2, ranks that meet."""
