"""A bad story file gets every fault at once, each with its line and field; a good one becomes a story."""

from pathlib import Path

import pytest

from deploy.cli.run import TRACE_KEI
from deploy.sample_data.read import InvalidFile, read_file

GOOD = """\
story: small
frameworks:
  - self-check-8.1
  - code: own
    title: Our own
    scale_max: 3
    indicators:
      - {code: one, title: One}
      - {code: two, title: Two}
consortium:
  slug: small
  name: Small
  programme: None
  starts_on: 2020-01-01
  ends_on: 2021-01-01
  coordinator_slug: a
clusters:
  - slug: a
    name: A
    country: HU
    ecosystems: [digital]
    languages: [hu, en]
    assessment: &assessed
      framework: own
      kind: self
      assessed_on: 2020-02-01
      valid_until: 2030-01-01
      scores:
        one: 3
        two: 0
    targets:
      two: {level: 2, priority: 5}
  - slug: b
    name: B
    country: "NO"
    ecosystems: [agri-food]
    languages: [en]
    assessment:
      <<: *assessed
      scores: {one: 1}
activities:
  - ref: visit
    kind: study_visit
    title: Visit
    host: a
    place: Bari
    starts_on: 2020-03-01
    ends_on: 2020-03-02
    capacity: 3
    teaches:
      - {framework: self-check-8.1, indicator: foresight, gain: 1}
    registrations:
      - {cluster: b, seats: 2}
    completed: true
requests:
  - {cluster: b, framework: own, indicator: one, urgency: 3}
answers_to_requests:
  - {learner: b, answer: accept}
plan: publish
"""


def faults(tmp_path: Path, text: str | bytes) -> list[str]:
    """What is found wrong in a file with this content, each as `line field: message`."""
    file = tmp_path / "story.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InvalidFile) as caught:
        read_file(file)
    assert str(caught.value) == "\n".join(str(fault) for fault in caught.value.faults)
    return [f"{fault.line} {fault.field}: {fault.message}" for fault in caught.value.faults]


def spoilt(*changes: tuple[str, str]) -> str:
    """The good file with some texts replaced, each of which is there once."""
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_the_shipped_story_passes() -> None:
    loaded = read_file(TRACE_KEI)
    assert len(loaded.content.clusters) == 7
    assert [(framework.code, len(framework.indicators)) for framework in loaded.frameworks] == [
        ("self-check-8.1", 8),
        ("ecei-31.1", 31),
    ]


def test_the_file_that_is_spoilt_below_is_good(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(GOOD)
    loaded = read_file(file)
    assert loaded.content.clusters[1].assessment is not None
    assert loaded.content.clusters[1].assessment.framework == "own"
    assert [framework.code for framework in loaded.frameworks] == ["self-check-8.1", "own"]


WHOLE: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["1 file: the file is empty"]),
    "only a comment": ("# nothing\n", ["1 file: the file is empty"]),
    "null": ("null\n", ["1 file: the file is empty"]),
    "a list": ("- story\n", ["1 file: the file has to be a mapping: story, consortium, clusters …"]),
    "a text": ("\nstory\n", ["2 file: the file has to be a mapping: story, consortium, clusters …"]),
    "not YAML": ("story: a\nb: [1,\n", ["3 file: not YAML: expected the node content, but found '<stream end>'"]),
    "tab": ("story: a\n\tb: 1\n", ["2 file: not YAML: found character '\\t' that cannot start any token"]),
    "no UTF-8": (b"story: a\nb: \xff\n", ["2 file: not YAML: invalid start byte"]),
    "NUL": (b"story: a\nb: \x00\n", ["2 file: not YAML: special characters are not allowed"]),
    "two documents": ("a: 1\n---\nb: 2\n", ["2 file: not YAML: but found another document"]),
    "unknown anchor": ("a: 1\nb: *x\n", ["2 file: not YAML: found undefined alias 'x'"]),
    "code": (
        "a: 1\nb: !!python/name:os.system\n",
        ["2 file: not YAML: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'"],
    ),
    "deep": ("[" * 5000, ["1 file: not readable: nested too deep, or a number too large"]),
    "huge number": ("story: " + "9" * 5000, ["1 file: not readable: nested too deep, or a number too large"]),
}


@pytest.mark.parametrize("what", WHOLE)
def test_a_file_that_is_no_story_at_all_has_one_fault(tmp_path: Path, what: str) -> None:
    text, expected = WHOLE[what]
    assert faults(tmp_path, text) == expected


PLANTED: dict[str, tuple[tuple[str, str], str]] = {
    "field missing": (("    name: A\n", ""), "18 clusters.0.name: Field required"),
    "unknown field": (("    name: A\n", "    name: A\n    nmae: B\n"), "20 clusters.0.nmae: there is no such field"),
    "key twice": (("    name: B\n", "    name: B\n    name: C\n"), "35 clusters.1.name: this key is there twice"),
    "indicator twice": (("two: 0", "one: 0"), "30 clusters.0.assessment.scores.one: this key is there twice"),
    "number for text": (("name: Small", "name: 7"), "12 consortium.name: has to be text; write it in quotes: '7'"),
    "the Norway problem": (('"NO"', "NO"), "35 clusters.1.country: has to be text; write it in quotes: 'NO'"),
    "a number as key": (
        ("        two: 0", "        1.2: 0"),
        "30 clusters.0.assessment.scores.1.2: has to be text; write it in quotes: '1.2'",
    ),
    "text for a number": (("urgency: 3", 'urgency: "3"'), "56 requests.0.urgency: Input should be a valid integer"),
    "text for a list": (("[agri-food]", "agri-food"), "36 clusters.1.ecosystems: Input should be a valid list"),
    "list for a mapping": (
        ("{one: 1}", "[1]"),
        "40 clusters.1.assessment.scores: Input should be a valid dictionary",
    ),
    "no day": (
        ("2020-02-01", "2020-02-30"),
        "26 clusters.0.assessment.assessed_on: Value error, 2020-02-30 is not a day of the calendar",
    ),
    "no choice": (("plan: publish", "plan: maybe"), "59 plan: Input should be 'publish' or 'draft'"),
    "out of range": (("priority: 5", "priority: 6"), "32 clusters.0.targets.two.priority: Input should be less than"),
    "ill-formed name": (("slug: small", "slug: Small!"), "11 consortium.slug: String should match pattern"),
    "ill-formed framework": (("- self-check-8.1", "- [1]"), "3 frameworks.0: Input should be a valid string"),
    "field of a framework": (("scale_max: 3", "scale_max: 0"), "6 frameworks.1.scale_max: Input should be greater"),
    "framework not shipped": (
        ("- self-check-8.1", "- self-check-8.1\n  - ecei-9"),
        "4 frameworks.1: no framework 'ecei-9' is shipped",
    ),
    "framework twice": (
        ("- self-check-8.1", "- ecei-31.1\n  - self-check-8.1\n  - ecei-31.1"),
        "5 frameworks.2: 'ecei-31.1' is there tw",
    ),
    "framework's indicator twice": (
        ("      - {code: two", "      - {code: one, title: A}\n      - {code: two"),
        "9 frameworks.1.indicators.1.code: 'one' is t",
    ),
    "unknown coordinator": (("_slug: a", "_slug: c"), "16 consortium.coordinator_slug: no cluster 'c' in this file"),
    "unknown host": (("host: a", "host: c"), "45 activities.0.host: no cluster 'c' in this file"),
    "unknown guest": (("{cluster: b, s", "{cluster: c, s"), "53 activities.0.registrations.0.cluster: no cluster 'c'"),
    "unknown asker": (("{cluster: b, f", "{cluster: c, f"), "56 requests.0.cluster: no cluster 'c' in this file"),
    "unknown learner": (("learner: b", "learner: c"), "58 answers_to_requests.0.learner: no cluster 'c' in this file"),
    "unknown framework": (("framework: own, i", "framework: x, i"), "56 requests.0.framework: 'x' is not among this"),
    "unknown indicator": (("indicator: one", "indicator: six"), "56 requests.0.indicator: own has no indicator 'six'"),
    "unknown indicator taught": (
        ("indicator: foresight", "indicator: one"),
        "51 activities.0.teaches.0.indicator: self-check-8.1 has no indicator 'one'",
    ),
    "unknown indicator scored": (
        ("{one: 1}", "{six: 1}"),
        "40 clusters.1.assessment.scores.six: own has no indicator 'six'",
    ),
    "score off the scale": (
        ("one: 3\n", "one: 4\n"),
        "29 clusters.0.assessment.scores.one: 4 is over the scale's end, 3",
    ),
    "target off the scale": (("level: 2", "level: 4"), "32 clusters.0.targets.two.level: 4 is over the scale's end"),
    "cluster twice": (
        ("  - slug: b", "  - {slug: a, name: C, country: HU, ecosystems: [], languages: []}\n  - slug: b"),
        "33 clusters.1.slug: 'a' is there twice",
    ),
    "ends before it starts": (("2021-01-01", "2019-01-01"), "15 consortium.ends_on: before starts_on"),
    "visit ends before": (("2020-03-02", "2020-02-02"), "48 activities.0.ends_on: before starts_on"),
    "in the future": (
        ("2020-02-01\n      valid_until: 2030-01-01", "2199-02-01\n      valid_until: 2199-03-01"),
        "26 clusters.0.assessment.assessed_on: lies in the future",
    ),
    "over before it began": (
        ("starts_on: 2020-03-01\n    ends_on: 2020-03-02", "starts_on: 2199-03-01\n    ends_on: 2199-03-02"),
        "54 activities.0.completed: an activity that begins in the future is not over",
    ),
    "more seats than there are": (("seats: 2", "seats: 4"), "53 activities.0.registrations.0.seats: 4 seats are more"),
    "a service's own list": (("[digital]", "[digitl]"), "21 clusters.0.ecosystems.0: Input should be 'aerospace-defe"),
    "a service's own range": (("gain: 1", "gain: 0"), "51 activities.0.teaches.0.gain: Input should be greater than"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found_with_its_line_and_field(tmp_path: Path, what: str) -> None:
    change, expected = PLANTED[what]
    actual = faults(tmp_path, spoilt(change))
    assert any(fault.startswith(expected) for fault in actual), actual
    assert len(actual) == 1, actual


def test_all_faults_are_found_at_once_in_order_of_line(tmp_path: Path) -> None:
    text = spoilt(
        ("scale_max: 3", "scale_max: three"),
        ("  programme: None\n", ""),
        ("country: HU", "country: Hungary"),
        ("two: {level: 2", "six: {level: 2"),
        ("host: a", "host: nobody"),
        ("capacity: 3", "capacity: 1"),
        ("indicator: foresight", "indicator: hindsight"),
        ("urgency: 3", "urgency: 9"),
        ("answer: accept", "answer: accept, why: not"),
    )
    assert [fault.partition(":")[0] for fault in faults(tmp_path, text)] == [
        "6 frameworks.1.scale_max",
        "10 consortium.programme",
        "19 clusters.0.country",
        "31 clusters.0.targets.six",
        "44 activities.0.host",
        "50 activities.0.teaches.0.indicator",
        "52 activities.0.registrations.0.seats",
        "55 requests.0.urgency",
        "57 answers_to_requests.0.why",
    ]


QUIET: dict[str, tuple[tuple[str, str], str]] = {
    "a cluster without a name": (("  - slug: b\n    name", "  - name"), "33 clusters.1.slug"),
    "an ill-formed name that is used": (("- slug: a\n", "- slug: A\n"), "18 clusters.0.slug"),
    "a cluster that is none": (
        ("answers_to_requests", "  - {cluster: [b], framework: own, indicator: two, urgency: 3}\nanswers_to_requests"),
        "57 requests.1.cluster",
    ),
    "clusters that are none": (("clusters:\n", "clusters: 7\nothers:\n"), "17 clusters"),
    "a framework without a code": (("- code: own\n    title", "- title"), "4 frameworks.1.code"),
    "an ill-formed code that is used": (("- code: own", "- code: OWN"), "4 frameworks.1.code"),
    "a framework without a scale": (("    scale_max: 3\n", ""), "4 frameworks.1.scale_max"),
    "a framework with an indicator that is none": (
        ("{code: two, title: Two}", "{code: [two], title: Two}"),
        "9 frameworks.1.ind",
    ),
    "frameworks that are none": (("frameworks:\n", "frameworks: 7\nothers:\n"), "2 frameworks"),
    "a day that is none": (("ends_on: 2021-01-01", "ends_on: never"), "15 consortium.ends_on"),
    "a score that is none": (("one: 3\n", "one: three\n"), "29 clusters.0.assessment.scores.one"),
    "an assessment that is none": (("{one: 1}", "{one: 1}\n      kind: other"), "41 clusters.1.assessment.kind"),
}


@pytest.mark.parametrize("what", QUIET)
def test_what_is_malformed_is_one_fault_without_others_that_follow_from_it(tmp_path: Path, what: str) -> None:
    change, expected = QUIET[what]
    actual = [fault for fault in faults(tmp_path, spoilt(change)) if " others" not in fault]
    assert len(actual) == 1, actual
    assert actual[0].startswith(expected)


def test_what_is_used_twice_by_an_anchor_is_one_fault(tmp_path: Path) -> None:
    text = spoilt(("one: 3\n", "one: 9\n"), ("      scores: {one: 1}\n", ""))
    assert faults(tmp_path, text) == ["29 clusters.0.assessment.scores.one: 9 is over the scale's end, 3"]


def test_anchors_that_lead_to_themselves_end(tmp_path: Path) -> None:
    text = spoilt(("plan: publish", "plan: &plan [*plan]"))
    assert faults(tmp_path, text) == ["59 plan: Input should be 'publish' or 'draft'"]
    bomb = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else 'lol'] * 9)}]" for n in range(30))
    assert [fault.split()[1] for fault in faults(tmp_path, GOOD + bomb)] == [f"x{n}:" for n in range(30)]
