"""A log compared with a reference: values, differences, what explains them, and the update of a reference."""
