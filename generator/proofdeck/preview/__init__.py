"""`preview`: a static site that shows every card as Anki would, and the evidence behind it."""
