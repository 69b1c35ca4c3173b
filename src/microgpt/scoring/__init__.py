"""The price of many texts: what each character costs, and whether that is unusual."""
