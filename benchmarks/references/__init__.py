"""What our figures are held against: small, honest programs that do the same job another way."""
