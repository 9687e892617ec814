"""Who is compared with whom: lists of trials and databases, read, checked, written."""
