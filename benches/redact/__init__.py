"""The redactor beside what else finds secrets and personal data in Python: see ``__main__``."""
