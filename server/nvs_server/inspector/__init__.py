"""The process that decodes what strangers send, within limits on memory and time."""
