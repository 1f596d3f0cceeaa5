"""A web page to talk with models on, and existing servers started on the exported one."""
