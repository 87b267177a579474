"""The interfaces that polycall offers to components, a file for each."""
