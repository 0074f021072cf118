//! Completes the OpenAPI document: names of operations, credentials, responses of access control.

use serde_json::{Value, json};

/// The paths of a world that is created later.
const WORLD: &str = "/api/v1/worlds/{world}/";

/// Completes the document: every operation gets a unique name and the responses of access control.
pub(crate) fn complete(api: &mut Value) {
    addresses(api);
    closed(&mut api["components"]["schemas"]["Client"]);
    health(api);
    let Some(paths) = api["paths"].as_object_mut() else {
        return;
    };
    for (path, operations) in paths {
        let operations = operations.as_object_mut().into_iter().flatten();
        for (method, operation) in operations.filter(|(_, operation)| operation.is_object()) {
            operation["operationId"] = name(method, path).into();
            if path.starts_with(WORLD) {
                of_a_world(operation);
            }
            guarded(operation);
        }
    }
    let schemes = json!({
        "basic": { "type": "http", "scheme": "basic", "description": "Required if the server runs with --http-auth" },
        "bearer": { "type": "http", "scheme": "bearer", "description": "Required if the server runs with --http-token" },
    });
    api["components"]["securitySchemes"] = schemes;
    api["security"] = json!([{}, { "basic": [] }, { "bearer": [] }]);
}

/// Sets the format of addresses of either family, for which utoipa has no name, and removes null defaults, which a
/// required text must not have.
fn addresses(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(addresses),
        Value::Object(map) => {
            if map.get("format").is_some_and(|format| format == "ip") {
                map.remove("format");
                map.insert("anyOf".to_owned(), either_family());
            }
            if map.get("default").is_some_and(Value::is_null) {
                map.remove("default");
            }
            let listed = map
                .get_mut("addresses")
                .map(|addresses| &mut addresses["items"]);
            if let Some(item) = listed.filter(|item| item["type"] == "string") {
                item["anyOf"] = either_family();
            }
            if let Some(pairs) = map.get_mut("map").and_then(Value::as_object_mut) {
                for key in ["propertyNames", "additionalProperties"] {
                    if let Some(address) =
                        pairs.get_mut(key).filter(|item| item["type"] == "string")
                    {
                        address["anyOf"] = either_family();
                    }
                }
            }
            map.values_mut().for_each(addresses);
        }
        _ => {}
    }
}

fn either_family() -> Value {
    json!([{ "format": "ipv4" }, { "format": "ipv6" }])
}

/// Declares that the objects within have no other properties, as serde does for the variants of an enum.
fn closed(value: &mut Value) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(closed),
        Value::Object(map) => {
            if map.contains_key("required") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            map.values_mut().for_each(closed);
        }
        _ => {}
    }
}

/// Describes the paths outside of the API: health and metrics.
fn health(api: &mut Value) {
    let text = |description: &str| json!({ "description": description, "content": { "text/plain": { "schema": { "type": "string" } } } });
    let operation = |summary: &str, responses: Value| json!({ "get": { "tags": ["health"], "summary": summary, "responses": responses } });
    let alive = json!({ "200": text("The process answers") });
    let ready = json!({ "200": text("Every listener accepts connections"), "503": text("The server is shutting down") });
    let metrics = json!({ "200": text("Metrics in the text format of Prometheus") });
    let paths = [
        (
            "/livez",
            operation("Report whether the process answers", alive),
        ),
        (
            "/readyz",
            operation("Report whether the server accepts connections", ready),
        ),
        (
            "/metrics",
            operation("Show the metrics of all worlds", metrics),
        ),
    ];
    for (path, operations) in paths {
        api["paths"][path] = operations;
    }
    if let Some(tags) = api["tags"].as_array_mut() {
        tags.push(json!({ "name": "health", "description": "Health and metrics of the process" }));
    }
}

/// `get /api/v1/worlds/{world}/mail/{id}` is `get_worlds_world_mail_id`.
fn name(method: &str, path: &str) -> String {
    let parts = path
        .trim_start_matches("/api/v1")
        .split(['/', '.', '{', '}']);
    let words: Vec<_> = [method]
        .into_iter()
        .chain(parts.filter(|part| !part.is_empty()))
        .collect();
    words.join("_")
}

fn of_a_world(operation: &mut Value) {
    let world = json!({
        "name": "world", "in": "path", "required": true, "description": "The name of a world",
        "schema": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" },
    });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(world),
        None => operation["parameters"] = json!([world]),
    }
    add(
        operation,
        "404",
        "No world has this name, or no entry has this number or name",
    );
}

fn guarded(operation: &mut Value) {
    add(operation, "400", "The request is wrong");
    add(operation, "401", "Credentials are missing or wrong");
    add(operation, "403", "A page of another site sent the request");
    add(operation, "421", "The Host field names another server");
    if operation.get("requestBody").is_some() {
        add(operation, "408", "The body did not arrive in time");
        add(operation, "413", "The body is too large");
    }
}

/// Adds a response, unless the handler declares one of this status.
fn add(operation: &mut Value, status: &str, description: &str) {
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    responses.entry(status).or_insert_with(|| {
        json!({
            "description": description,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        })
    });
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn every_operation_has_a_name_and_the_answers_of_the_guard() {
        let api = crate::http::openapi();
        let mut names = HashSet::new();
        for (path, operations) in api["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name.to_owned()), "{name} twice");
                for status in ["400", "401", "403", "421"] {
                    assert!(
                        operation["responses"].get(status).is_some(),
                        "{method} {path}: {status}"
                    );
                }
                let has_body = operation.get("requestBody").is_some();
                assert_eq!(
                    operation["responses"].get("413").is_some(),
                    has_body,
                    "{method} {path}"
                );
                let described: HashSet<_> = operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|p| p["in"] == "path")
                    .map(|p| p["name"].as_str().expect("a name"))
                    .collect();
                let named: HashSet<_> = path
                    .split('{')
                    .skip(1)
                    .filter_map(|rest| rest.split('}').next())
                    .collect();
                assert_eq!(described, named, "{path}");
            }
        }
        assert!(names.contains("get_sessions") && names.contains("get_worlds_world_sessions"));
        assert!(api["components"]["securitySchemes"]["bearer"].is_object());
        let schemas = api["components"]["schemas"].as_object().expect("schemas");
        assert!(schemas.contains_key("Problem"));
        let text = api.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().expect("a name");
            assert!(schemas.contains_key(name), "no schema {name}");
        }
        assert!(!text.contains("\"format\":\"ip\""));
        let map = api
            .pointer("/components/schemas/Client/oneOf/2/properties/map")
            .expect("a map of client addresses");
        for half in ["propertyNames", "additionalProperties"] {
            assert_eq!(map[half]["anyOf"], super::either_family(), "{half}");
        }
    }
}
