"""The language of chest radiograph reports: words, abbreviations and plain words."""
