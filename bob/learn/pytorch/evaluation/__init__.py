"""Result folders and score files -> systems, pages, tables and summaries of them."""
