"""What several test files share: builders, fakes, slow references."""
