"""What measures cascades, and reports what was measured; scripts/evaluate.py is its command."""
