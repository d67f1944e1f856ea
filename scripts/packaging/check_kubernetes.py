"""check_kubernetes.py VERSION FILE...: checks manifests; scripts/check_kubernetes.sh runs it."""

import ast
import importlib.util
import json
import pathlib
import re
import sys

import jsonschema
import yaml


def package_folder(name):
    return pathlib.Path(importlib.util.find_spec(name).submodule_search_locations[0])


def kserve_class(path):
    """(name, {attribute: type}, {attribute: key}, required attributes) of a generated data type."""
    text = path.read_text()
    found, values = None, {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            found = node.name
            for part in node.body:
                if isinstance(part, ast.Assign) and part.targets[0].id in (
                        "openapi_types", "attribute_map"):
                    values[part.targets[0].id] = ast.literal_eval(part.value)
    required = set(re.findall(r"Invalid value for `(\w+)`, must not be `None`", text))
    return found, values.get("openapi_types", {}), values.get("attribute_map", {}), required


SCALARS = {"str": {"type": "string"}, "int": {"type": "integer"}, "bool": {"type": "boolean"},
           "float": {"type": "number"}, "object": {},
           "V1beta1MetricQuantity": {"type": ["string", "number"]},
           "ResourceQuantity": {"type": ["string", "number"]}}


def schema_of(name, kserve, kubernetes):
    """The JSON schema of a type as the generated classes name it. KeyError naming an unknown one."""
    if name in SCALARS:
        return SCALARS[name]
    for pattern, shape in ((r"list\[(.*)\]", "items"), (r"dict\(str, (.*)\)", "values")):
        if inner := re.fullmatch(pattern, name):
            schema = schema_of(inner[1], kserve, kubernetes)
            return ({"type": "array", "items": schema} if shape == "items"
                    else {"type": "object", "additionalProperties": schema})
    if name in kserve:
        return {"$ref": f"#/$defs/{name}"}
    for candidate in (name.removeprefix("V1"), name.removeprefix("V2"),
                      re.sub("^K8sIoApi(AppsV1|AutoscalingV2)", "", name)):
        for group in ("core.v1", "apps.v1", "autoscaling.v2"):
            if f"io.k8s.api.{group}.{candidate}" in kubernetes:
                return {"$ref": f"#/$defs/io.k8s.api.{group}.{candidate}"}
    if name == "V1ObjectMeta":
        return {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    raise KeyError(f"no schema of {name}")


def definitions(version):
    """{name: schema} of all types of Kubernetes and KServe."""
    folder = (package_folder("kubernetes_validate") / "kubernetes-json-schema" /
              f"{version}-local-strict")
    text = (folder / "_definitions.json").read_text()
    defined = json.loads(text)["$defs"]
    kubernetes = set(defined)
    found = [kserve_class(path) for path in
             sorted((package_folder("kserve") / "models").glob("v1*.py"))]
    kserve = {name for name, *_ in found}
    for name, types, keys, required in found:
        properties = {}
        for attribute, kind in types.items():
            try:
                properties[keys[attribute]] = schema_of(kind, kserve, kubernetes)
            except KeyError:
                properties[keys[attribute]] = {"not": {}, "description": f"unknown type {kind}"}
        defined[name] = {"type": "object", "properties": properties, "additionalProperties": False,
                         "required": sorted(keys[attribute] for attribute in required)}
    return defined


def type_of(document, defined):
    """The name of the schema of a manifest. ValueError where there is none."""
    group, _, version = document["apiVersion"].rpartition("/")
    kind = document["kind"]
    name = (version[0].upper() + version[1:] + kind if group == "serving.kserve.io"
            else f"io.k8s.api.{(group or 'core').partition('.')[0]}.{version}.{kind}")
    if name not in defined:
        raise ValueError(f"no schema of {document['apiVersion']} {kind}")
    return name


def mistakes(document, defined):
    schema = {"$ref": f"#/$defs/{type_of(document, defined)}", "$defs": defined}
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
        yield f"{'.'.join(map(str, error.absolute_path)) or 'top'}: {error.message[:300]}"


def main():
    version, *files = sys.argv[1:]
    defined = definitions(version)
    bad = checked = 0
    for file in files:
        for document in yaml.safe_load_all(pathlib.Path(file).read_text()):
            checked += 1
            for mistake in mistakes(document, defined):
                bad += 1
                print(f"{file}: {document['kind']} {document['metadata']['name']}: {mistake}",
                      file=sys.stderr)
    print(f"{checked} manifests, {bad} mistakes")
    return 1 if bad or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
