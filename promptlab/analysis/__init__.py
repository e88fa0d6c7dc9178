"""What else outcomes tell: who takes whose pictures, what changed, which rule finds the worst."""
