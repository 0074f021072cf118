//! A scenario or receiver in a request: a name, TOML text, or a JSON object.

use serde::de::Visitor;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::http::server::problem::Problem;
use crate::scenario::{self, ReceiverProfile, Scenario};

/// A scenario or receiver: the name of a built-in one, TOML text, or the same content as a JSON object.
///
/// File names are not accepted, because an HTTP client must not be able to read files of the server.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[schema(as = ScenarioOrReceiver)]
pub(crate) enum Source {
    /// The name of a built-in one, or TOML text.
    Text(String),
    /// The content of the TOML file as a JSON object.
    #[schema(value_type = Object)]
    Object(serde_json::Map<String, Value>),
}

/// Written by hand: errors of the derived code name the type (`untagged enum Source`).
impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Source;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a built-in name, TOML text or an object")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Source, E> {
                Ok(Source::Text(text.to_owned()))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                let map = Deserialize::deserialize(MapAccessDeserializer::new(map));
                map.map(Source::Object)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// The file name of text that was sent; files are not read relative to it.
const INLINE: &str = "builtin:/inline";

impl Source {
    /// Reads a scenario.
    pub(crate) fn scenario(&self) -> Result<Scenario, Problem> {
        let scenario = match self.read("scenario")? {
            Read::Name(name) => {
                scenario::load_scenario(name).map_err(|error| Problem::of("scenario", &error))
            }
            Read::Toml(text) => scenario::parse_scenario(INLINE, &text)
                .map_err(|error| self.wrong("scenario", &error, &text)),
        };
        let scenario = scenario?;
        not_a_path("scenario.receiver", &scenario.receiver)?;
        Ok(scenario)
    }

    /// Reads a receiver.
    pub(crate) fn receiver(&self) -> Result<ReceiverProfile, Problem> {
        match self.read("receiver")? {
            Read::Name(name) => {
                scenario::load_receiver(name).map_err(|error| Problem::of("receiver", &error))
            }
            Read::Toml(text) => scenario::parse_receiver(INLINE, &text)
                .map_err(|error| self.wrong("receiver", &error, &text)),
        }
    }

    /// A problem with the text that was sent, or with the object that was converted to this text.
    fn wrong(&self, field: &str, error: &Error, text: &str) -> Problem {
        match self {
            Self::Text(_) => Problem::of(field, error),
            Self::Object(_) => Problem::of_object(field, error, text),
        }
    }

    fn read(&self, field: &str) -> Result<Read<'_>, Problem> {
        match self {
            Self::Text(text) if text.contains(['\n', '=']) => Ok(Read::Toml(text.clone())),
            Self::Text(name) => {
                not_a_path(field, name)?;
                Ok(Read::Name(name))
            }
            Self::Object(map) => {
                let text = toml::to_string(map);
                text.map(Read::Toml).map_err(|e| {
                    Problem::mistake(field, "a value that TOML can represent", &e.to_string())
                })
            }
        }
    }
}

enum Read<'a> {
    Name(&'a str),
    Toml(String),
}

fn not_a_path(field: &str, name: &str) -> Result<(), Problem> {
    if name.contains(['/', '\\']) || name.ends_with(".toml") {
        return Err(Problem::mistake(
            field,
            "a built-in name, TOML text or an object; files are not read here",
            name,
        ));
    }
    Ok(())
}
