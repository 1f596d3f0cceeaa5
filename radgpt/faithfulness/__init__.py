"""Check what an answer claims against what its report says."""
