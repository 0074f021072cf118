//! martinet as a container of the crate `testcontainers`. Copy this file, or use the crate by its path.

use std::borrow::Cow;
use std::collections::BTreeMap;

use testcontainers::Image;
use testcontainers::core::{ContainerPort, WaitFor};

/// The port of the SMTP server in the container.
pub const SMTP_PORT: u16 = 1025;
/// The port of the HTTP server in the container.
pub const HTTP_PORT: u16 = 8025;

/// The image `martinet` of this repository, started when all its servers accept connections.
#[derive(Clone, Debug)]
pub struct Martinet {
    name: String,
    tag: String,
    variables: BTreeMap<String, String>,
}

impl Default for Martinet {
    fn default() -> Self {
        Self {
            name: "martinet".to_owned(),
            tag: "latest".to_owned(),
            variables: BTreeMap::new(),
        }
    }
}

impl Martinet {
    /// Sets the name of the image, with the registry.
    #[must_use]
    pub fn image(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Sets the scenario: a name, or `./FILE` below `/scenarios`.
    #[must_use]
    pub fn scenario(self, scenario: &str) -> Self {
        self.variable("MARTINET_SCENARIO", scenario)
    }

    /// Sets the receiver: a name, or `./FILE` below `/scenarios`.
    #[must_use]
    pub fn receiver(self, receiver: &str) -> Self {
        self.variable("MARTINET_RECEIVER", receiver)
    }

    /// Sets a variable. Each option of `martinet serve` has one.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }
}

impl Image for Martinet {
    fn name(&self) -> &str {
        &self.name
    }

    fn tag(&self) -> &str {
        &self.tag
    }

    fn ready_conditions(&self) -> Vec<WaitFor> {
        vec![WaitFor::message_on_stdout("accessible via http://")]
    }

    fn env_vars(
        &self,
    ) -> impl IntoIterator<Item = (impl Into<Cow<'_, str>>, impl Into<Cow<'_, str>>)> {
        &self.variables
    }

    fn expose_ports(&self) -> &[ContainerPort] {
        &[ContainerPort::Tcp(SMTP_PORT), ContainerPort::Tcp(HTTP_PORT)]
    }
}
