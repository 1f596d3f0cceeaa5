"""The page on which compared models stand side by side: tables, plots and examples, in one file that needs no network."""
