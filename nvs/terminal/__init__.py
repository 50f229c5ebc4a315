"""What the commands of all parts share: options, what they print, missing extras."""
