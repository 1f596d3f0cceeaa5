"""What the HTML pages of all stages share: their style, their histograms and how templates are filled."""
