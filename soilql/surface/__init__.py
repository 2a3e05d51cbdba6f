"""What the two surfaces of a spec have in common, and the YAML one: comments, line breaks, the YAML writer."""
