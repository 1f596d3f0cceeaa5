"""What the HTML pages of all stages share: their style, how lengths spread, histograms of them, and how templates are filled."""
