"""The translators, one a file. They never import each other; they wind to a child."""
