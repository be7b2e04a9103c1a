"""What the plots show, as plain numbers: nothing here logs."""
