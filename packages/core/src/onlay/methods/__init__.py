"""The methods that every comparison needs: full fine-tuning, linear probe, BitFit."""
