"""What a corpus is: its rows, parameters, selection, and where it is found."""
