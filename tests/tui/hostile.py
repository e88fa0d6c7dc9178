"""Strings from outside that must come to nothing but themselves."""

HOSTILE = ("[@click=app.quit]x[/]", "[/x]", "\x1b]52;c;aGk=\x07", "\u202eabc", "x" * 5000, "", "二" * 300, "a\nb\u2028c\td")
