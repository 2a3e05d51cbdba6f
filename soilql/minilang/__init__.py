"""The mini-language, a second surface of the tree that a YAML spec is."""
