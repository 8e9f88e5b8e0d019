import tomllib

from hypothesis import given
from hypothesis import strategies as st

from engine.definitions.positions import key_lines, line_of
from engine.definitions.writing import model_config_toml
from tests.engine.definitions import definition_strategies as drawn


def test_every_kind_of_key_has_its_line():
    text = "\n".join(
        [
            "# a = 1",  # 1
            'title = "[x] # = \\" y"',  # 2
            "\"quoted key\".'sub.key' = '\"'",  # 3
            'long = """',  # 4
            "[not.a.table]",  # 5
            'key = 1 \\"""',  # 6
            '"""',  # 7
            "list = [ # one",  # 8
            "  1, 'two',",  # 9
            "  { a = 1, b.c = [ { d = 2 } ] },",  # 10
            "]",  # 11
            "when = 2024-01-01 10:00:00",  # 12
            '[a . "b.c"]',  # 13
            "x.y = true",  # 14
            "[[a.many]]",  # 15
            "k = '''",  # 16
            "''''",  # 17
            "[[a.many]]",  # 18
            "k = 1",  # 19
            "[a.many.below]",  # 20
            "z = 1",  # 21
        ]
    )
    tomllib.loads(text)
    lines = key_lines(text)
    assert {path: line for path, line in lines.items() if len(path) > 1 or line < 5} == {
        ("title",): 2,
        ("quoted key",): 3,
        ("quoted key", "sub.key"): 3,
        ("long",): 4,
        ("list", 0): 9,
        ("list", 1): 9,
        ("list", 2): 10,
        ("list", 2, "a"): 10,
        ("list", 2, "b"): 10,
        ("list", 2, "b", "c"): 10,
        ("list", 2, "b", "c", 0): 10,
        ("list", 2, "b", "c", 0, "d"): 10,
        ("a", "b.c"): 13,
        ("a", "b.c", "x"): 14,
        ("a", "b.c", "x", "y"): 14,
        ("a", "many"): 15,
        ("a", "many", 0): 15,
        ("a", "many", 0, "k"): 16,
        ("a", "many", 1): 18,
        ("a", "many", 1, "k"): 19,
        ("a", "many", 1, "below"): 20,
        ("a", "many", 1, "below", "z"): 21,
    }
    assert lines[("list",)] == 8
    assert lines[("when",)] == 12
    assert line_of(("a", "many", 1, "missing"), lines) == 18
    assert line_of(("nowhere",), lines) == 1


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {path} if path else set[tuple[str | int, ...]]()
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return found.union(*(paths_of(below, (*path, key)) for key, below in items))


@given(drawn.model_configs)
def test_every_key_of_a_written_definition_is_found(model: object):
    text = model_config_toml(model)
    assert set(key_lines(text)) == paths_of(tomllib.loads(text))


@given(st.text())
def test_no_text_makes_the_scanner_fail_or_hang(text: str):
    try:
        document = tomllib.loads(text)
    except ValueError:
        return
    assert set(key_lines(text)) == paths_of(document)
