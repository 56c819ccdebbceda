"""Profiles for tests: two by hand, and any."""

from datetime import date
from uuid import UUID

from hypothesis import strategies as st

from services.matching.rules.inputs.criteria import Criteria, Weights
from services.matching.rules.inputs.profile import Profile, Skill, TargetLevel
from services.matching.rules.scoring.terms import TERMS

TODAY = date(2017, 6, 1)
FORESIGHT, STRATEGY = Skill("f", "foresight"), Skill("f", "strategy")
MENTOR = Profile(
    id=UUID(int=1),
    name="Mentor",
    country="HU",
    languages=frozenset({"en", "hu"}),
    ecosystems=frozenset({"digital"}),
    stages=frozenset({"research", "services"}),
    levels={FORESIGHT: 5, STRATEGY: 2},
    mentor_slots=1,
)
LEARNER = Profile(
    id=UUID(int=2),
    name="Learner",
    country="RS",
    languages=frozenset({"en", "sr"}),
    ecosystems=frozenset({"digital", "construction"}),
    stages=frozenset({"services"}),
    levels={FORESIGHT: 1, STRATEGY: 2},
    targets={FORESIGHT: TargetLevel(4, 5), STRATEGY: TargetLevel(3, 1)},
    requests={FORESIGHT: 4},
    learner_slots=1,
)

_SKILLS = [Skill("f", name) for name in ("a", "b", "c")]
PROFILES = st.builds(
    Profile,
    id=st.uuids(),
    name=st.just("X"),
    country=st.sampled_from(["HU", "IT", "US"]),
    languages=st.frozensets(st.sampled_from(["en", "it", "hu"])),
    ecosystems=st.frozensets(st.sampled_from(["digital", "agri-food"])),
    stages=st.frozensets(st.sampled_from(["research", "sales"])),
    levels=st.dictionaries(st.sampled_from(_SKILLS), st.integers(0, 5)),
    targets=st.dictionaries(st.sampled_from(_SKILLS), st.builds(TargetLevel, st.integers(0, 5), st.integers(1, 5))),
    requests=st.dictionaries(st.sampled_from(_SKILLS), st.integers(1, 5)),
    label=st.sampled_from(["none", "bronze", "silver", "gold"]),
    mentor_slots=st.integers(0, 2),
    learner_slots=st.integers(0, 2),
    record=st.lists(st.integers(0, 100), max_size=3).map(tuple),
    given=st.integers(0, 4),
    taken=st.integers(0, 4),
)
"""Any profile; the capital of one outside Europe is not known."""

CRITERIA = st.builds(
    Criteria,
    weights=st.builds(
        Weights, **{name: st.integers(0, 9) for name in TERMS if name != "travel"}, travel=st.integers(1, 9)
    ),
)
"""Criteria with any weights."""
