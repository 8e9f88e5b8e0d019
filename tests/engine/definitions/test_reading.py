import os
import tempfile
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definitions.reading import read_definitions
from engine.errors import InvalidInput, NotFound
from tests.engine.definitions.definition_files import BASIC, GROCERY, STANDARD, problems, read

ALL = f"{GROCERY}\n{BASIC}\n{STANDARD}"


def replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def test_good_files_give_every_definition_and_no_problem(tmp_path: Path):
    found = read(tmp_path / "definitions", ALL)
    assert found.problems == ()
    assert list(found.datasets) == ["grocery"]
    assert list(found.features) == ["basic"]
    assert list(found.models) == ["standard"]
    assert str(found.places[("features", "basic")]) == "definitions/all.toml:27"


def test_the_example_of_the_documentation_is_valid(tmp_path: Path):
    text = Path("docs/definitions.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```toml\n")[1:]]
    found = read(tmp_path / "definitions", "\n".join(blocks))
    assert found.problems == ()
    assert found.models["retrieval-standard"].resolve().output_dim == 32


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ('buyer = "household"', 'buyer = "houshold"', 19,
         'datasets.grocery.roles.buyer: unknown column "houshold". Did you mean "household"?'),
        ('primary = "transactions"', "", 1, "datasets.grocery.primary: is missing"),
        ('primary = "transactions"', 'primary = "sales"', 2,
         'datasets.grocery.primary: unknown table. There are "transactions", "products".'),
        ('primary = "transactions"', "primary = 3", 2,
         "datasets.grocery.primary: must be text in quotes"),
        ("roles]", "rolls]", 1, "datasets.grocery.roles: is missing"),
        ("roles]", "rolls]", 18, 'datasets.grocery.rolls: unknown key. Did you mean "roles"?'),
        ('table = "products"', 'table = "product"', 9,
         'datasets.grocery.joins[0].table: unknown table. Did you mean "products"?'),
        ('on = { product_id = "product_id" }', "on = {}", 10,
         "datasets.grocery.joins[0].on: needs at least one pair of columns"),
        ('on = {', 'how = "outer"\non = {', 10,
         "datasets.grocery.joins[0].how: must be one of 'left', 'inner', 'right', "
         'not "outer"'),
        ('at = "transactions.transaction_timestamp"', 'row_key = "transactions.x"', 15,
         "datasets.grocery.columns.row_key: row_key is a reserved name"),
        ('at = "transactions.transaction_timestamp"', 'at = "transaction.x"', 15,
         'datasets.grocery.columns.at: unknown table "transaction". Did you mean "transactions"?'),
        ('department = "products.department"', 'department = "products.d"\nAT = "week"', 17,
         "datasets.grocery.columns.AT: two aliases differ only in upper and lower case"),
        ('in = ["GROCERY", "DELI"]', "", 23,
         "datasets.grocery.filters[0]: a filter is one of equals, in, min and/or max, last_days, "
         "start and/or end"),
        ('in = ["GROCERY", "DELI"]', "in = []", 25,
         "datasets.grocery.filters[0].in: needs at least one value"),
        ('in = ["GROCERY", "DELI"]', "min = 3\nmax = 2", 26,
         "datasets.grocery.filters[0].max: is below min (3)"),
        ('in = ["GROCERY", "DELI"]', 'start = "2024-02-01"\nend = "2024-01-31"', 26,
         "datasets.grocery.filters[0].end: is before start (2024-02-01)"),
        ('in = ["GROCERY", "DELI"]', "last_days = 0", 25,
         "datasets.grocery.filters[0].last_days: must be above 0"),
        ('in = ["GROCERY", "DELI"]', 'start = "soon"', 25,
         'datasets.grocery.filters[0].start: must be a date or a time, as 2024-12-31 or '
         '"2024-12-31 18:00"'),
        ('in = ["GROCERY", "DELI"]', "equals = inf", 25,
         "datasets.grocery.filters[0].equals: must be text, a number, true or false"),
        ('in = ["GROCERY", "DELI"]', 'equals = "a\\u0000"', 25,
         "datasets.grocery.filters[0].equals: holds a NUL character"),
        ('product = "product"', 'product = "household"', 20,
         "datasets.grocery.roles.product: buyer and product must be two columns"),
    ],
)  # fmt: skip
def test_a_wrong_dataset_is_told_with_line_key_and_reason(
    tmp_path: Path, old: str, new: str, line: int, told: str
):
    found = problems(tmp_path / "definitions", replaced(GROCERY, old, new))
    assert f"definitions/all.toml:{line}: {told}" in found


CROSSES = [
    ("", "columns: is missing"),
    ('columns = ["product"]', "columns: a cross joins 2 or 3 different columns"),
    ('columns = ["product", "product"]', "columns: a cross joins 2 or 3 different columns"),
    ('columns = ["product", "departmnt"]',
     'columns[1]: "departmnt" is no feature of this tower. Did you mean "department"?'),
    ('columns = ["product", "household"]',
     'columns[1]: "household" is no feature of this tower. There are "product", "department".'),
    ('columns = ["product", "department"], buckets = 1', "buckets: must be at least 2"),
    ('columns = ["product", "department"], dim = 0', "dim: must be above 0"),
    ('columns = ["product", "department"], dims = 4', 'dims: unknown key. Did you mean "dim"?'),
    ('columns = ["product", "department"], crossing_buckets = { at = 5 }',
     'crossing_buckets.at: "at" is not among the columns of the cross'),
    ('columns = ["product", "department"], crossing_buckets = { department = 1 }',
     "crossing_buckets.department: must be at least 2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ('dataset = "grocery"', 'dataset = "groceries"', 2,
         'features.basic.dataset: unknown dataset "groceries". Did you mean "grocery"?'),
        ('column = "department"', 'column = "departmnt"', 13,
         'features.basic.product[1].column: unknown column "departmnt". Did you mean "depart'),
        ('column = "department"', 'column = "department"\nprimary = true', 14,
         "features.basic.product[1].primary: the product tower has two primary features"),
        ('column = "household"\nprimary = true', 'column = "household"', 4,
         "features.basic.buyer: the buyer tower needs one feature with primary = true"),
        ('column = "department"', 'column = "department"\ntransforms = ["embedd"]', 14,
         "features.basic.product[1].transforms[0]: must be one of 'embed', 'normalize'"),
        ('column = "department"', 'column = "department"\ndata_type = "text"\n'
         'transforms = ["normalize"]', 15,
         "features.basic.product[1].transforms: text takes embed, not normalize"),
        ('column = "department"', 'column = "department"\nbuckets = 1', 14,
         "features.basic.product[1].buckets: must be at least 2"),
        ('column = "department"', 'column = "department"\nmax_length = 0', 14,
         "features.basic.product[1].max_length: must be above 0"),
        ('column = "department"', 'column = "department"\ndata_type = "text"\nmax_length = 9', 15,
         "features.basic.product[1].max_length: goes with histories"),
        ('column = "department"', 'column = "product"', 13,
         'features.basic.product[1].column: "product" is in this tower twice'),
        ('column = "household"', 'column = "household"\ndata_type = "numeric"', 6,
         "features.basic.buyer[0].data_type: a primary feature is an id and must be text"),
        ('dataset = "grocery"', 'dataset = "grocery"\ntarget = "rating"', 3,
         'features.basic.target: unknown column "rating".'),
        ('dataset = "grocery"', 'dataset = "grocery"\ntarget = 3', 3,
         "features.basic.target: must be text in quotes"),
        ('dataset = "grocery"', 'dataset = "grocery"\ntarget = { column = "rating" }', 3,
         'features.basic.target.column: unknown column "rating".'),
        ('dataset = "grocery"', 'dataset = "grocery"\ntarget = { log1p = true }', 3,
         "features.basic.target.column: is missing"),
        ('dataset = "grocery"', 'dataset = "grocery"\ntarget = { column = "at", log = true }', 3,
         'features.basic.target.log: unknown key. Did you mean "log1p"?'),
        ('dataset = "grocery"', 'dataset = "grocery"\ntarget = { column = "at", clip = [9, 1] }', 3,
         "features.basic.target.clip: must be two percentiles from 0 to 100, the lower one first"),
        ('dataset = "grocery"', 'dataset = "grocery"\ntarget = { column = "at", clip = [1] }', 3,
         "features.basic.target.clip[1]: is missing"),
        *(('dataset = "grocery"', f'dataset = "grocery"\nproduct_crosses = [{{ {cross} }}]', 3,
           f"features.basic.product_crosses[0].{told}") for cross, told in CROSSES),
    ],
)  # fmt: skip
def test_a_wrong_feature_config_is_told(tmp_path: Path, old: str, new: str, line: int, told: str):
    folder = tmp_path / "definitions"
    read(folder, "")
    (folder / "datasets.toml").write_text(GROCERY, encoding="utf-8")
    found = problems(folder, replaced(BASIC, old, new))
    assert any(p.startswith(f"definitions/all.toml:{line}: {told}") for p in found), found


def test_a_history_of_anything_but_products_is_no_feature(tmp_path: Path):
    folder = tmp_path / "definitions"
    history = '[datasets.grocery.histories]\nseen = { column = "department" }\n'
    text = BASIC + '[[features.basic.buyer]]\ncolumn = "seen"\n'
    (told,) = problems(folder, f"{text}{GROCERY}{history}")
    assert told == (
        'definitions/all.toml:15: features.basic.buyer[1].column: "seen" lists values of '
        '"department"; a history that is a feature lists products, "product"'
    )
    assert (
        problems(folder, f"{text}{GROCERY}{history}".replace('"department" }', '"product" }')) == []
    )


@pytest.mark.parametrize(
    ("body", "line", "told"),
    [
        ("preset = 'standard'\nbuyer_tower = []", 4,
         "models.m.buyer_tower: a preset brings its layers: give either preset or both towers"),
        ("", 1, "models.m: needs a preset, or buyer_tower and product_tower"),
        ("output_dim = 8\nbuyer_tower = []", 1,
         "models.m.product_tower: is missing: without a preset both towers need layers"),
        ("buyer_tower = []\nproduct_tower = []", 1,
         "models.m.output_dim: is missing: it is optional with a preset only"),
        ("preset = 'standart'", 3, "models.m.preset: must be one of 'minimal', 'standard', 'deep', "
         "'asymmetric', 'regularized', not \"standart\""),
        ("preset = 'deep'\nretrieval.temperature = 0", 4,
         "models.m.retrieval.temperature: must be above 0"),
        ("preset = 'deep'\nlearning_rate = '0.1'", 4,
         "models.m.learning_rate: must be a number"),
        ("preset = 'deep'\nlearning_rate = nan", 4,
         "models.m.learning_rate: must be a finite number"),
        ("preset = 'deep'\nbatch_size = 10.5", 4, "models.m.batch_size: must be a whole number"),
        ("preset = 'deep'\nretrieval.normalize = 1", 4,
         "models.m.retrieval.normalize: must be true or false"),
        ("output_dim = 8\nproduct_tower = []\nbuyer_tower = [\n  { kind = 'dense' },\n]", 6,
         "models.m.buyer_tower[0].units: is missing"),
        ("output_dim = 8\nproduct_tower = []\nbuyer_tower = [\n\n\n{ kind = 'dens' }]", 8,
         "models.m.buyer_tower[0].kind: must be one of 'dense', 'dropout', 'batch_norm', "
         "'layer_norm'"),
        ("output_dim = 8\nproduct_tower = []\nbuyer_tower = [{ units = 1 }]", 5,
         "models.m.buyer_tower[0]: needs a kind: dense, dropout, batch_norm or layer_norm"),
        ("output_dim = 8\nproduct_tower = []\nbuyer_tower = [{ kind = 'dropout', rat = 0.1 }]", 5,
         'models.m.buyer_tower[0].rat: unknown key. Did you mean "rate"?'),
        ("preset = 'deep'\nname = 'x'", 4,
         "models.m.name: unknown key: the name stands in the table's header"),
        ("preset = 'deep'\nbatch_size = 0x" + "f" * 5000, 1,
         "models.m: has a number that is too long"),
    ],
)  # fmt: skip
def test_a_wrong_model_config_is_told(tmp_path: Path, body: str, line: int, told: str):
    found = problems(tmp_path / "definitions", f'[models.m]\ntype = "retrieval"\n{body}\n')
    assert any(p.startswith(f"definitions/all.toml:{line}: {told}") for p in found), found


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b'[models.m]\ntype = "x\n', ":2: isn't valid TOML: illegal character '\\n' (column 10)"),
        (b"[models.m\n", ":1: isn't valid TOML"),
        (b"a = 1\na = 2\n", ":2: isn't valid TOML: cannot overwrite a value"),
        (b"x = '\xff'\n", ":1: is not UTF-8 text"),
        (b"a = 1\nx = '\x00'\n", ":2: isn't valid TOML"),
        (b"x = " + b"[" * 5_000, ":1: is nested too deep"),
        (b"x = " + b"9" * 5_000, ":1: isn't valid TOML"),
        (b"#" * 1_000_001, ":1: is larger than 1 MB"),
        (b"datasets = 3", ":1: datasets: must be [datasets.NAME]"),
        (b"\ndatasets.x = 3", ":2: datasets.x: must be a table"),
        (b"[dataset.x]\n", ':1: dataset: unknown table. Did you mean "datasets"?'),
        (b'[models."-x"]\ntype="retrieval"\npreset="deep"', ":1: models.-x: a name must be"),
    ],
)
def test_a_file_that_holds_anything_gives_a_problem(tmp_path: Path, raw: bytes, told: str):
    (tmp_path / "a.toml").write_bytes(raw)
    found = read_definitions(tmp_path)
    assert any(f"{tmp_path.name}/a.toml{told}" in str(p) for p in found.problems), found.problems


KEYS = ["datasets", "features", "models", "x", "primary", "tables", "joins", "on", "columns",
        "roles", "buyer", "filters", "column", "in", "equals", "type", "preset", "buyer_tower",
        "kind", "retrieval", "dense", "transforms", "name"]  # fmt: skip
anything = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(KEYS)
    | st.dates() | st.datetimes() | st.times(),
    lambda below: st.lists(below, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), below, max_size=5),
    max_leaves=25,
)  # fmt: skip
tables = st.dictionaries(st.sampled_from(KEYS), anything, max_size=8)
kinds = st.sampled_from(["datasets", "features", "models"])


@settings(deadline=None)
@given(
    st.binary(max_size=300)
    | st.dictionaries(kinds, st.dictionaries(st.text(max_size=4), tables, max_size=3)).map(
        lambda document: tomlkit.dumps(document).encode()
    )
)
def test_no_file_makes_the_reader_fail(raw: bytes):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.toml").write_bytes(raw)
        lines = raw.count(b"\n") + raw.count(b"\r") + 1
        for problem in read_definitions(Path(folder)).problems:
            assert 1 <= problem.line <= lines
            assert problem.reason


def test_files_that_are_no_files_give_a_problem(tmp_path: Path):
    folder = tmp_path / "definitions"
    (folder / "folder.toml").mkdir(parents=True)
    (folder / "loop.toml").symlink_to(folder / "loop.toml")
    (folder / "gone.toml").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "pipe.toml")
    (folder / os.fsdecode(b"\xff.toml")).mkdir()
    reasons = {p.file: p.reason for p in read_definitions(folder).problems}
    assert reasons == {
        "definitions/folder.toml": "is not a file",
        "definitions/gone.toml": "cannot be read: no such file or directory",
        "definitions/loop.toml": "cannot be read: too many levels of symbolic links",
        "definitions/pipe.toml": "is not a file",
        "definitions/\ufffd.toml": "is not a file",
    }


def test_a_missing_folder_is_a_problem(tmp_path: Path):
    (problem,) = read_definitions(tmp_path / "definitions").problems
    assert str(problem) == "definitions:1: cannot be read: no such file or directory".replace(
        "definitions", f"{tmp_path.name}/definitions"
    )


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf" + ALL.replace("\n", "\r\n").encode())
    found = read_definitions(tmp_path)
    assert found.problems == ()
    assert found.places[("features", "basic")].line == 27


def test_a_name_in_two_files_is_told_in_both_and_defined_in_neither(tmp_path: Path):
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "a.toml").write_text(STANDARD, encoding="utf-8")
    (folder / "b.toml").write_text(f"\n{STANDARD}", encoding="utf-8")
    found = read_definitions(folder)
    assert [str(p) for p in found.problems] == [
        "definitions/a.toml:1: models.standard: is defined twice: here and in definitions/b.toml:2",
        "definitions/b.toml:2: models.standard: is defined twice: here and in definitions/a.toml:1",
    ]
    assert found.models == {}


def test_an_invalid_table_keeps_its_last_good_version_and_others_go_on(tmp_path: Path):
    folder = tmp_path / "definitions"
    good = read(folder, ALL)
    edited = replaced(ALL, 'preset = "standard"', "preset = 5").replace('"DELI"', '"MEAT"')
    found = read(folder, edited, good)
    assert found.models == good.models
    assert found.datasets["grocery"] != good.datasets["grocery"]
    assert len(found.problems) == 1
    repaired = read(folder, replaced(ALL, 'preset = "standard"', 'preset = "deep"'), found)
    assert repaired.problems == ()
    assert repaired.models["standard"].preset == "deep"


def test_a_broken_file_keeps_all_of_its_tables_and_a_removed_file_none(tmp_path: Path):
    folder = tmp_path / "definitions"
    good = read(folder, ALL)
    broken = read(folder, ALL + "\n[", good)
    assert (broken.datasets, broken.features, broken.models) == (
        good.datasets,
        good.features,
        good.models,
    )
    assert broken.places == good.places
    (folder / "all.toml").unlink()
    assert read_definitions(folder, broken).datasets == {}


def test_a_feature_config_that_no_longer_fits_its_dataset_keeps_its_last_good_version(
    tmp_path: Path,
):
    folder = tmp_path / "definitions"
    good = read(folder, ALL)
    found = read(
        folder, replaced(ALL, 'column = "department"\n\n[models', 'column = "x"\n\n[models'), good
    )
    assert found.features == good.features
    assert [p.key for p in found.problems] == ["features.basic.product[1].column"]


def test_a_feature_config_of_an_invalid_dataset_is_not_blamed(tmp_path: Path):
    found = read(tmp_path / "definitions", replaced(ALL, 'primary = "transactions"', ""))
    assert {p.key for p in found.problems} == {"datasets.grocery.primary"}
    assert list(found.features) == ["basic"]


def test_looking_up_a_definition_says_what_is_wrong(tmp_path: Path):
    found = read(tmp_path / "definitions", replaced(ALL, 'primary = "transactions"', ""))
    with pytest.raises(InvalidInput, match=r'"grocery" is invalid: definitions/all.toml:1: '):
        found.dataset("grocery")
    with pytest.raises(NotFound, match=r'no feature config "basik". Did you mean "basic"\?'):
        found.feature_config("basik")
    broken = read(tmp_path / "definitions", "[")
    with pytest.raises(NotFound, match="may stand in a file that can't be read"):
        broken.model_config("standard")
