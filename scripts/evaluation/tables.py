"""Figures as Markdown tables."""

WRONG = "*wrong*"  # in place of a figure that was obtained with wrong answers


def print_wrong(records):
    """Says of records whose answers were wrong what was wrong with them."""
    for wrong in sorted({record["wrong"] for record in records if "wrong" in record}):
        print(f"\n{WRONG}: {wrong}.")


def print_table(title, header, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
