"""Other people's documents: read in their own grammar, told what is damaged, written as card files.

bytes → lines (text, mojibake) → items (readers/) → notes (notes) → card files (files), and a report
"""
