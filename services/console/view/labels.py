"""Labels of the codes that the services use."""

ECOSYSTEMS = {
    "aerospace-defence": "Aerospace and defence",
    "agri-food": "Agri-food",
    "construction": "Construction",
    "cultural-creative": "Cultural and creative",
    "digital": "Digital",
    "electronics": "Electronics",
    "energy-intensive": "Energy-intensive industries",
    "energy-renewables": "Energy and renewables",
    "health": "Health",
    "mobility-transport-automotive": "Mobility and transport",
    "proximity-social-economy": "Proximity and social economy",
    "retail": "Retail",
    "textiles": "Textiles",
    "tourism": "Tourism",
}
LABELS = {"none": "No label", "bronze": "Bronze label", "silver": "Silver label", "gold": "Gold label"}
ASSESSMENT_KINDS = {"expert": "Expert assessment", "peer": "Peer assessment", "self": "Self-assessment"}
PRIORITIES = {1: "would be nice", 2: "useful", 3: "important", 4: "very important", 5: "vital"}
URGENCIES = {1: "some day", 2: "this year", 3: "within months", 4: "soon", 5: "at once"}
SCORE_TERMS = {
    "knowledge": "Knowledge to gain",
    "requests": "Requests it answers",
    "ecosystems": "Same ecosystem",
    "cross_border": "Across a border",
    "value_chain": "Value chain",
    "languages": "Common languages",
    "record": "The mentor’s record",
    "reciprocity": "Giving and taking",
    "novelty": "New to each other",
    "travel": "Distance",
}
ACTIVITY_KINDS = {
    "joint_training": "Joint training",
    "study_visit": "Study visit",
    "peer_review": "Peer review",
    "matchmaking": "Matchmaking",
}
ACTIVITY_STATES = {"draft": "Draft", "published": "Open for registration", "completed": "Completed"}
