"""What one virtual user does: steps, scenarios, mixes, entries, and the visits made of them."""
