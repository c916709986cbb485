"""A search by Optuna: its space, its trials and what it leaves behind."""
