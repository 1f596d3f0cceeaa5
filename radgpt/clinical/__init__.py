"""The language of chest radiograph reports: words, abbreviations, plain words, and what sentences assert."""
