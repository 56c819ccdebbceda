from itertools import pairwise

from services.console.charts import levels, terms
from services.console.models import Standing, Term


def test_a_bar_ends_at_its_level_and_the_mark_stands_at_the_target() -> None:
    standing = Standing(framework="f", indicator="i", level=2, target=4)
    chart = levels.chart("c", "Levels", 5, [("Strategy", standing)])
    assert (chart.bars[0].level, chart.bars[0].target) == (40.0, 80.0)
    assert chart.bars[0].value == "2, target 4"
    assert chart.summary == "1 indicators on a scale from 0 to 5. 0 of 1 targets are reached."


def test_an_indicator_without_level_or_target_is_said_so() -> None:
    chart = levels.chart("c", "Levels", 5, [("Strategy", Standing(framework="f", indicator="i"))])
    assert chart.bars[0].value == "not assessed"
    assert chart.bars[0].target is None


def test_the_parts_of_a_score_follow_each_other_and_sum_to_it() -> None:
    given = [Term(term="knowledge", hundredths=5500, reason="a"), Term(term="new-one", hundredths=1630, reason="b")]
    parts = terms.chart("c", "Score", given).parts
    assert all(one.start + one.width == other.start for one, other in pairwise(parts))
    assert sum(part.width for part in parts) == 71.3
    assert [part.name for part in parts] == ["Knowledge to gain", "New one"]
