"""What goes round, over the stages below."""
