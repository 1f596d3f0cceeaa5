"""Let people grade compared models' answers without knowing whose they are."""
