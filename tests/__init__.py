"""The tests, by tier: unit, integration (real parts), e2e (as a user), bench, soak."""
