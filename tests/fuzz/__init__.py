"""Coverage-guided fuzzing of everything that reads strangers' bytes, with atheris: `make fuzz`."""
