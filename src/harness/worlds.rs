//! Many worlds in one process, by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::{Builder, World};
use crate::error::Error;
use crate::journal::Metrics;

/// The name of the world that a server begins with.
pub const MAIN: &str = "main";
/// Most worlds beside it.
pub const WORLDS: usize = 2_000;

/// The worlds of a server: the main one, and those made later. They share nothing but their counts.
#[derive(Debug)]
pub struct Worlds {
    main: Arc<World>,
    others: RwLock<BTreeMap<String, Arc<World>>>,
    made: AtomicU64,
    tally: Arc<Metrics>,
}

impl Worlds {
    /// Begins with a main world; the others count into its counts.
    pub fn new(main: World) -> Arc<Self> {
        let tally = Arc::clone(main.tally());
        Arc::new(Self {
            main: Arc::new(main),
            others: RwLock::default(),
            made: AtomicU64::new(0),
            tally,
        })
    }

    /// The main world.
    pub fn main(&self) -> &Arc<World> {
        &self.main
    }

    /// The counts of all worlds, also of those that are gone.
    pub fn tally(&self) -> &Arc<Metrics> {
        &self.tally
    }

    /// A world by its name.
    pub fn find(&self, name: &str) -> Option<Arc<World>> {
        if name == MAIN {
            Some(Arc::clone(&self.main))
        } else {
            self.others.read().get(name).cloned()
        }
    }

    /// Every world with its name, the main one first.
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

    /// How many worlds there are.
    pub fn count(&self) -> usize {
        self.others.read().len() + 1
    }

    /// Starts a further world, under this name or one of its own.
    ///
    /// # Errors
    /// As [`Builder::start`]; a name that is taken, or too many worlds.
    pub async fn add(
        &self,
        name: Option<String>,
        builder: Builder,
    ) -> Result<(String, Arc<World>), Error> {
        let name = name
            .unwrap_or_else(|| format!("w{:04}", self.made.fetch_add(1, Ordering::Relaxed) + 1));
        self.free(&name)?;
        let builder = builder.named(&name);
        let world = Arc::new(builder.tally(Arc::clone(&self.tally)).start().await?);
        let mut others = self.others.write();
        if others.len() >= WORLDS || others.contains_key(&name) {
            drop(others);
            return Err(self
                .free(&name)
                .err()
                .unwrap_or_else(|| Error::other("the world was not added")));
        }
        others.insert(name.clone(), Arc::clone(&world));
        Ok((name, world))
    }

    fn free(&self, name: &str) -> Result<(), Error> {
        if self.find(name).is_some() {
            return Err(Error::other(format!(
                "expected the name of no other world, found {name:?}"
            )));
        }
        if self.others.read().len() >= WORLDS {
            return Err(Error::other(format!(
                "expected at most {WORLDS} worlds, found as many already"
            )));
        }
        Ok(())
    }

    /// Takes a world away and stops it; false where there is none of that name, or it is the main one.
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
