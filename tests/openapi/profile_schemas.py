"""The schemas of profiles' configurations, as the API gives them, read by jsonschema."""

import jsonschema

from client import call

kinds = {profile["kind"]: profile for profile in call("GET", "/profiles")["profiles"]}
assert len(kinds) >= 2, kinds
for kind, profile in kinds.items():
    schema = call("GET", f"/schemas/profiles/{kind}")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(profile["config"])
    for wrong in (
        {"bogus": 1},
        {"records_per_part": "many"},
        {"compression": {"bogus": 1}},
        {"kinds": ["nothing"]},
        {"kinds": []},
    ):
        assert not validator.is_valid(profile["config"] | wrong), (kind, wrong)
