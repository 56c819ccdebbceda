from datetime import date
from itertools import pairwise
from uuid import UUID

from services.console.api.models.matching import Term
from services.console.api.models.members import IndicatorStatus
from services.console.api.models.mentorships import Goal
from services.console.view.charts import europe, goals, land, levels, terms, timeline
from shared.geography import CAPITALS
from tests.services.console.actions import cluster

SUMMER, AUTUMN = date(2017, 7, 1), date(2018, 10, 1)


def test_a_bar_ends_at_its_level_and_the_mark_stands_at_the_target() -> None:
    standing = IndicatorStatus(framework="f", indicator="i", level=2, target=4, illustrative=False)
    chart = levels.chart("c", "Levels", 5, [("Strategy", standing)])
    assert (chart.bars[0].level, chart.bars[0].target) == (40.0, 80.0)
    assert chart.bars[0].value == "2, target 4"
    assert chart.summary == "1 indicators on a scale from 0 to 5. 0 of 1 targets are reached."


def test_an_indicator_without_level_or_target_is_said_so() -> None:
    chart = levels.chart(
        "c", "Levels", 5, [("Strategy", IndicatorStatus(framework="f", indicator="i", illustrative=False))]
    )
    assert chart.bars[0].value == "not assessed"
    assert chart.bars[0].target is None


def test_the_parts_of_a_score_follow_each_other_and_sum_to_it() -> None:
    planned_terms = [
        Term(term="knowledge", hundredths=5500, reason="a"),
        Term(term="new-one", hundredths=1630, reason="b"),
    ]
    parts = terms.chart("c", "Score", planned_terms).parts
    assert all(part.start + part.width == next_part.start for part, next_part in pairwise(parts))
    assert sum(part.width for part in parts) == 71.3
    assert [part.name for part in parts] == ["Knowledge to gain", "New one"]


def test_a_goal_goes_from_its_start_over_what_is_reported_to_its_target() -> None:
    goal = Goal(framework="f", indicator="i", level=1, target=4, due_on=AUTUMN, reached=3)
    chart = goals.chart("c", "Goals", 5, [("Strategy", goal), ("Financing", goal.model_copy(update={"confirmed": 4}))])
    (first, second) = chart.bars
    assert (first.start, first.reached, first.target, first.measured) == (20.0, 60.0, 80.0, None)
    assert (first.value, second.value) == ("from 1, reached 3, target 4", "from 1, confirmed 4, target 4")
    assert second.measured == 80.0
    assert chart.summary == "0 of 2 goals are reported as reached, on a scale from 0 to 5."


def test_spans_lie_on_the_axis_and_what_goes_on_ends_today() -> None:
    spans = [timeline.Span("a", SUMMER, SUMMER, confirmed=True), timeline.Span("b", AUTUMN, None, confirmed=False)]
    chart = timeline.chart("t", spans, date(2018, 12, 31))
    (short, open_) = chart.bars
    assert (short.width, short.confirmed) == (timeline.MIN_WIDTH, True)
    assert round(open_.start + open_.width) == 100
    assert [(year.name, round(year.x)) for year in chart.years] == [("2017", 0), ("2018", 50)]
    assert timeline.chart("t", [], SUMMER).bars == []


def test_arcs_go_from_teacher_to_learner_and_broader_the_more_they_are() -> None:
    clusters = [cluster(1, "IT"), cluster(2, "RS"), cluster(3, "RS"), cluster(4, "PT"), cluster(5, "XX")]
    a, b, c = (member.id for member in clusters[:3])
    chart = europe.chart("m", clusters, [(a, b), (a, b), (b, a), (a, c), (a, clusters[4].id)])
    assert chart is not None
    assert [dot.name for dot in chart.dots] == ["Cluster 1", "Cluster 2", "Cluster 3"], "who took no part is not there"
    assert [(arc.width, arc.title) for arc in chart.arcs] == [
        (3.0, "Cluster 1 taught Cluster 2: two lines"),
        (2.0, "Cluster 1 taught Cluster 3: one line"),
        (2.0, "Cluster 2 taught Cluster 1: one line"),
    ]
    assert len({arc.path for arc in chart.arcs}) == 3, "there and back are two arcs"
    assert (chart.dots[1].x, chart.dots[1].y) != (chart.dots[2].x, chart.dots[2].y), "two of one country are apart"
    assert all(0 < dot.x < chart.width and 0 < dot.y < chart.height for dot in chart.dots)
    assert europe.chart("m", clusters, [(a, clusters[4].id)]) is None


def test_the_map_grows_with_clusters_at_its_edge() -> None:
    far = europe.chart("m", [cluster(1, "IS"), cluster(2, "AM")], [(UUID(int=1), UUID(int=2))])
    near = europe.chart("m", [cluster(1, "IT"), cluster(2, "HU")], [(UUID(int=1), UUID(int=2))])
    assert far is not None
    assert near is not None
    assert (far.width, far.height) > (near.width, near.height)
    assert all(0 < dot.x < far.width and 0 < dot.y < far.height for dot in far.dots)


def test_the_land_is_where_it_is_and_the_sea_is_not() -> None:
    path = land.path(lambda longitude, latitude: (longitude * 10, -latitude * 10))
    outlines = [_points(outline) for outline in path.split("z") if outline]

    def ashore(latitude: float, longitude: float) -> bool:
        return any(_inside(longitude * 10, -latitude * 10, outline) for outline in outlines)

    for inland in ("AT", "BG", "CZ", "DE", "ES", "FR", "HU", "IT", "PL", "RO", "RS", "SE", "TR", "UA"):
        assert ashore(*CAPITALS[inland]), inland
    for sea in ((56.0, 3.0), (43.0, 34.0), (42.5, 16.0), (39.0, 6.0), (58.0, 20.0), (45.0, -8.0)):
        assert not ashore(*sea), sea


def _points(outline: str) -> list[tuple[int, int]]:
    first, steps = outline.removeprefix("M").split("l")
    x, y = map(int, first.split())
    points = [(x, y)]
    numbers = list(map(int, steps.split()))
    for step_x, step_y in zip(numbers[::2], numbers[1::2], strict=True):
        x, y = x + step_x, y + step_y
        points.append((x, y))
    return points


def _inside(x: float, y: float, outline: list[tuple[int, int]]) -> bool:
    """Whether a ray to the east crosses the outline an odd number of times."""
    crossed = 0
    for (x1, y1), (x2, y2) in zip(outline, [*outline[1:], outline[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            crossed += 1
    return crossed % 2 == 1
