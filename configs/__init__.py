"""One corpus = one YAML: sources, licence, citation, published configs."""
