"""Damaged copies of good input: bytes, text and nested values."""

import marshal

VALUES = (
    *(None, 0, -1, 1, 10**9, 10**30, 1e308, float("nan"), float("inf"), -0.0, True, False, 1.5),
    *("", "x", "a" * 500, "../../etc/passwd", "/etc/passwd", "<script>alert(1)</script>", "[red]x[/]", "[/nosuch]", "\x00", "é"),
    *("\x1b]0;title\x07", "\ud800", "http://example.invalid/x", "name", "1", "a,b=c", "line\nline", "=1+1"),
    *([], [1], [[]], [{"name": "gradient"}], {}, {"name": "gradient"}, {"name": {"a": 1}}, {"a": {"b": {"c": [1, 2]}}}),
)
KEYS = ("x", "name", "label", "version", "schema", "unit", "steps", "noise", "a.b", "__class__")
EXTREMES = (b"\x00" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\xff" * 8, b"\x00" * 8)


def damaged(content, rng, others=()):
    """The bytes with one to four places changed: flipped, deleted, repeated, filled, cut off, or taken from another file."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if not content:
            break
        at = rng.randrange(len(content)) if rng.random() < 0.5 else rng.randrange(min(len(content), 64))
        length = rng.choice((1, 2, 4, 16, 64))
        what = rng.randrange(7)
        if what == 0:
            content[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            del content[at : at + length]
        elif what == 2:
            content[at:at] = content[at : at + length]
        elif what == 3:
            content[at : at + length] = rng.randbytes(length)
        elif what == 4:
            extreme = rng.choice(EXTREMES)
            content[at : at + len(extreme)] = extreme
        elif what == 5:
            del content[at:]
        elif others:
            other = rng.choice(others)
            content[at:] = other[rng.randrange(len(other)) :]
    return bytes(content)


def changed_text(text, rng, words=()):
    """The text with one to four places changed: deleted, repeated, or with other words or characters in them."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, length = rng.randrange(len(text) + 1), rng.choice((1, 2, 8, 40))
        what = rng.randrange(4)
        inserted = ("", text[at : at + length], rng.choice(words or ("",)), rng.choice("[]{}\"'=,.:#\n\t\x00é\x1b<&\\/%-9"))[what]
        text = text[:at] + inserted * rng.choice((1, 1, 1, 3)) + text[at + (length if what != 1 else 0) :]
    return text


def copied(nested):
    """A copy of nested plain values, ten times as fast as a deep copy of objects."""
    return marshal.loads(marshal.dumps(nested))


def places(nested):
    """Each entry at any depth, as what holds it and its key."""
    found, inside = [], [nested]
    while inside:
        each = inside.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each))
        found += [(each, key) for key in keys]
        inside += [each[key] for key in keys if isinstance(each[key], dict | list)]
    return found


def changed_value(whole, rng):
    """A nested value with one to three entries changed, or something else in its place."""
    return copied(rng.choice(VALUES)) if rng.random() < 0.02 else changed_entries(whole, rng)


def changed_entries(whole, rng, values=VALUES, keys=KEYS):
    """A nested value with one to three entries replaced, deleted or added."""
    whole = copied(whole)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = places(whole) if isinstance(whole, dict | list) else []
        if not found:
            break
        inside, last = rng.choice(found)
        what, value = rng.random(), copied(rng.choice(values))
        if what < 0.6:
            inside[last] = value
        elif what < 0.75:
            del inside[last]
        elif isinstance(inside, dict):
            inside[rng.choice(keys)] = value
        else:
            inside.append(value)
    return whole
