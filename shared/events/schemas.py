"""JSON Schema of the data of each event type."""

from typing import Any

from shared.events.registry import EventType

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_WORDS = {
    "AssessmentRecorded.kind": "expert, peer or self",
    "TrainingCompleted.illustrative": "names of fields without a public source",
    "TrainingCompleted.kind": "joint_training, study_visit, peer_review or matchmaking",
    "activity_id": "the training or visit",
    "assessed_on": "the day of the assessment",
    "assessment_id": "the assessment",
    "attended": "ids of the clusters that were there",
    "cluster_id": "the cluster it is about",
    "consortium_id": "the consortium it happened in",
    "ended_on": "the last day",
    "ends_on": "the last day",
    "framework": "code of the assessment framework",
    "gains": "what each cluster gained in each indicator",
    "host_cluster_id": "the cluster that hosts it",
    "illustrative": "true: made up for illustration",
    "indicator": "code of the indicator in its framework",
    "label_valid_until": "the last day of the label",
    "learner_capacity": "mentors it can learn from at once",
    "learner_id": "the cluster that learns",
    "level": "on the framework's scale, from 0",
    "levels": "the current levels of the indicators assessed",
    "mentor_capacity": "learners it can mentor at once",
    "mentor_id": "the cluster that teaches",
    "name": "in full",
    "pair_id": "the pair",
    "pairs": "how many pairs it has",
    "place": "where it takes place, in words",
    "registration_id": "the registration",
    "request_id": "the service request",
    "run_id": "the plan",
    "scores": "the level given to each indicator, by its code",
    "seats": "how many people",
    "sector_groups": "the groups it works in, by sector",
    "specialisation": "what it is known for, in words",
    "starts_on": "the first day",
    "teaches": "which indicators it teaches",
    "term": "its name",
    "terms": "what the score is made of",
    "title": "its title",
    "valid_until": "the last day it counts",
}
"""What a field of this name means, in one model or wherever its model does not say it."""


def schema(entry: EventType) -> Json:
    """The JSON Schema (2020-12) of an event type's data. Fields it does not name are allowed: readers ignore them."""
    made = plain(entry.model.model_json_schema())
    head = {"$schema": DIALECT, "$id": entry.schema_uri, "title": entry.name}
    return head | {
        name: made[name] for name in ("description", "type", "properties", "required", "$defs") if name in made
    }


def plain(node: Any) -> Any:  # noqa: ANN401  any part of a schema
    """A schema without the titles pydantic makes up from names, and with a description for every field."""
    if isinstance(node, list):
        return [plain(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: plain(value) for key, value in node.items() if key not in {"properties", "$defs", "title"}}
    if "$defs" in node:
        made["$defs"] = {name: plain(one) for name, one in node["$defs"].items()}
    if "properties" in node:
        made["properties"] = {name: _field(one, name, node["title"]) for name, one in node["properties"].items()}
    return made


def _field(node: Json, name: str, model: str) -> Json:
    made: Json = plain(node)
    text = _WORDS.get(f"{model}.{name}") or _WORDS.get(name)
    return made if text is None or "description" in made else {"description": text, **made}
