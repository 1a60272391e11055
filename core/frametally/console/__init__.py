"""What commands share: options and their values, output, stop signals, rounds."""
