"""One loader a file: from files to a Table."""
