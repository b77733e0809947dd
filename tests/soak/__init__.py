"""Long runs and a thousand kills: run with make soak."""
