"""What people type into the search box: words, and among them exact words, exclusions, fields, dates and names."""
