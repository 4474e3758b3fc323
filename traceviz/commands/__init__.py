"""The commands, one module each; what they share in giving out their product is `delivery`."""
