//! Many worlds in one process, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::{Builder, MAIN, World};
use crate::error::Error;
use crate::journal::Metrics;

/// Maximum number of other worlds.
pub const WORLDS: usize = 2_000;

type Others = BTreeMap<String, Arc<World>>;

/// The worlds of a server: the main one and the others. They share only the metrics.
#[derive(Debug)]
pub struct Worlds {
    main: Arc<World>,
    others: RwLock<Others>,
    /// Names of worlds that start. Lock order: before `others`.
    starting: Mutex<BTreeSet<String>>,
    made: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Worlds {
    /// Starts with a main world; the others use its metrics.
    pub fn new(main: World) -> Arc<Self> {
        let metrics = Arc::clone(main.metrics());
        Arc::new(Self {
            main: Arc::new(main),
            others: RwLock::default(),
            starting: Mutex::default(),
            made: AtomicU64::new(0),
            metrics,
        })
    }

    /// The main world.
    pub fn main(&self) -> &Arc<World> {
        &self.main
    }

    /// The metrics of all worlds, including deleted ones.
    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Returns a world by its name.
    pub fn find(&self, name: &str) -> Option<Arc<World>> {
        if name == MAIN {
            Some(Arc::clone(&self.main))
        } else {
            self.others.read().get(name).cloned()
        }
    }

    /// All worlds with their names, the main one first.
    pub fn all(&self) -> Vec<(String, Arc<World>)> {
        let others = self.others.read();
        let others = others
            .iter()
            .map(|(name, world)| (name.clone(), Arc::clone(world)));
        [(MAIN.to_owned(), Arc::clone(&self.main))]
            .into_iter()
            .chain(others)
            .collect()
    }

    /// The number of worlds.
    pub fn count(&self) -> usize {
        self.others.read().len() + 1
    }

    /// Checks a name: 1 to 64 letters, digits, `-`, `_` and `.`, not beginning with `.`, because `.` and `..` have a
    /// special meaning in paths.
    ///
    /// # Errors
    /// The name is not allowed.
    pub(crate) fn check_name(name: &str) -> Result<(), Error> {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        let fits = (1..=64).contains(&name.len()) && !name.starts_with('.');
        if fits && name.bytes().all(plain) {
            return Ok(());
        }
        Err(Error::unexpected(
            "1 to 64 letters, digits, -, _ and ., not beginning with .",
            format!("{name:?}"),
        ))
    }

    /// Starts another world, under this name or an unused one.
    ///
    /// # Errors
    /// Those of [`Builder::start`]; the name is not valid or in use, or there are too many worlds.
    pub async fn add(
        &self,
        name: Option<String>,
        builder: Builder,
    ) -> Result<(String, Arc<World>), Error> {
        let reserved = self.reserve(name)?;
        let name = reserved.name.clone();
        let builder = builder.named(&name);
        let builder = builder.metrics(Arc::clone(&self.metrics));
        let world = Arc::new(builder.gateways(self.main.gateways()).start().await?);
        self.others.write().insert(name.clone(), Arc::clone(&world));
        Ok((name, world))
    }

    /// Reserves a name that no world has.
    fn reserve(&self, name: Option<String>) -> Result<Reserved<'_>, Error> {
        if let Some(name) = &name {
            Self::check_name(name)?;
        }
        let mut starting = self.starting.lock();
        let others = self.others.read();
        let taken =
            |name: &str| name == MAIN || others.contains_key(name) || starting.contains(name);
        if let Some(name) = name.as_deref().filter(|name| taken(name)) {
            return Err(Error::unexpected(
                "a name that no other world has",
                format!("{name:?}"),
            ));
        }
        if others.len() + starting.len() >= WORLDS {
            return Err(Error::unexpected(
                format!("at most {WORLDS} worlds"),
                "one more",
            ));
        }
        let automatic = || loop {
            let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
            let name = format!("w{number:04}");
            if !taken(&name) {
                return name;
            }
        };
        let name = name.unwrap_or_else(automatic);
        starting.insert(name.clone());
        Ok(Reserved { worlds: self, name })
    }

    /// Stops and removes a world. Returns false if there is none with that name, or if it is the main one.
    pub async fn remove(&self, name: &str) -> bool {
        let world = self.others.write().remove(name);
        match world {
            Some(world) => {
                world.ledger().clear();
                world.close().await;
                true
            }
            None => false,
        }
    }

    /// Stops every world.
    pub async fn close(&self) {
        let others = std::mem::take(&mut *self.others.write());
        let mut closing = tokio::task::JoinSet::new();
        for world in others.into_values().chain([Arc::clone(&self.main)]) {
            closing.spawn(async move {
                world.ledger().clear();
                world.close().await;
            });
        }
        while closing.join_next().await.is_some() {}
    }
}

/// The name of a world that is being started.
struct Reserved<'w> {
    worlds: &'w Worlds,
    name: String,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.worlds.starting.lock().remove(&self.name);
    }
}
