"""`doctor`: checks everything outside the program that `run` needs, and says what to do."""
