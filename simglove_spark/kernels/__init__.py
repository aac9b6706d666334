"""Compiled loops. What may enter and leave: numpy arrays and numbers.

Modules here import only numpy and numba (and each other). A kernel never allocates more than its caller planned for,
never prints, and never decides: it works until its input ends or an array is full and says how far it came.
"""
