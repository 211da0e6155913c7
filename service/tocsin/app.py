"""The composition root: builds everything in order, undoes it in reverse, runs until a signal."""
