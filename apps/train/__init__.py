"""Hint-RFT (START, arXiv 2503.04625): from what hints made right to a model that does it without them."""
