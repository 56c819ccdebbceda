"""JSON Schema of the data of each event type."""

from typing import Any

from shared.events.registry import EventType

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DESCRIPTIONS = {
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
"""Descriptions of fields by `Model.field`, or by field name where the model has none."""


def schema(entry: EventType) -> Json:
    """The JSON Schema (2020-12) of an event type's data. It allows additional fields: readers ignore them."""
    schema_ = plain(entry.model.model_json_schema())
    head = {"$schema": DIALECT, "$id": entry.schema_uri, "title": entry.name}
    return head | {
        name: schema_[name] for name in ("description", "type", "properties", "required", "$defs") if name in schema_
    }


def plain(node: Any) -> Any:  # noqa: ANN401  any part of a schema
    """A schema without the titles that pydantic generates, and with a description for every field."""
    if isinstance(node, list):
        return [plain(node_) for node_ in node]
    if not isinstance(node, dict):
        return node
    schema_ = {key: plain(value) for key, value in node.items() if key not in {"properties", "$defs", "title"}}
    if "$defs" in node:
        schema_["$defs"] = {name: plain(node_) for name, node_ in node["$defs"].items()}
    if "properties" in node:
        schema_["properties"] = {name: _field(node_, name, node["title"]) for name, node_ in node["properties"].items()}
    return schema_


def _field(node: Json, name: str, model: str) -> Json:
    schema_: Json = plain(node)
    text = _DESCRIPTIONS.get(f"{model}.{name}") or _DESCRIPTIONS.get(name)
    return schema_ if text is None or "description" in schema_ else {"description": text, **schema_}
