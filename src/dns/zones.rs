//! A snapshot: all zones of a world, the faults that apply to them, and the settings.

use std::collections::HashMap;
use std::sync::Arc;

use super::zone::Zone;
use super::{Fault, Outside, Settings, label};
use crate::name::Name;

/// An immutable snapshot. Only the counts of the faults change.
#[derive(Debug, Default)]
pub struct Zones {
    zones: Arc<HashMap<Box<[u8]>, Zone>>,
    pub(super) faults: Vec<Arc<Fault>>,
    settings: Settings,
    /// The root, where names outside the zones do not exist.
    root: Option<Box<Zone>>,
    /// Changed copies of zones, which replace those with the same origin while a change is tried.
    changed: Vec<Zone>,
}

impl Zones {
    /// Makes a snapshot with the default settings.
    pub fn new(zones: Vec<Zone>, faults: Vec<Fault>) -> Self {
        let zones = zones
            .into_iter()
            .map(|zone| (zone.origin.clone(), zone))
            .collect();
        Self {
            zones: Arc::new(zones),
            faults: faults.into_iter().map(Arc::new).collect(),
            ..Self::default()
        }
    }

    /// The same zones and faults with other settings.
    #[must_use]
    pub(crate) fn with_settings(mut self, settings: Settings) -> Self {
        self.root =
            (settings.outside() == Outside::NxDomain).then(|| Box::new(root_of(&self.zones)));
        self.settings = settings;
        self
    }

    /// A snapshot of the same zones and settings with other faults. The zones are shared; a fault that is in both
    /// snapshots keeps its counts.
    #[must_use]
    pub(crate) fn with_faults(&self, faults: Vec<Arc<Fault>>) -> Self {
        Self {
            zones: Arc::clone(&self.zones),
            faults,
            settings: self.settings,
            root: self.root.clone(),
            changed: self.changed.clone(),
        }
    }

    /// The same snapshot with this zone, which is added or replaces the one with the same origin. Faults keep their
    /// counts.
    #[must_use]
    pub(crate) fn with_zone(&self, zone: Zone) -> Self {
        let mut zones = HashMap::clone(&self.zones);
        zones.insert(zone.origin.clone(), zone);
        self.of_zones(zones)
    }

    /// The same snapshot without the zone with this origin; `None` if there is none.
    pub(crate) fn without_zone(&self, origin: &Name) -> Option<Self> {
        let mut zones = HashMap::clone(&self.zones);
        zones.remove(&*label::of(origin).to_ascii_lowercase())?;
        Some(self.of_zones(zones))
    }

    fn of_zones(&self, zones: HashMap<Box<[u8]>, Zone>) -> Self {
        let changed = Self {
            zones: Arc::new(zones),
            faults: self.faults.clone(),
            ..Self::default()
        };
        changed.with_settings(self.settings)
    }

    /// A copy whose faults start from the current counts and are counted separately, so that queries to the copy leave no trace.
    #[must_use]
    pub(crate) fn detached(&self) -> Self {
        let copy = |fault: &Arc<Fault>| Arc::new(fault.continued());
        self.with_faults(self.faults.iter().map(copy).collect())
    }

    /// The zone with this origin.
    pub(crate) fn of_origin(&self, origin: &Name) -> Option<&Zone> {
        self.zones.get(&*label::of(origin).to_ascii_lowercase())
    }

    /// The faults, with their counts.
    pub fn faults(&self) -> &[Arc<Fault>] {
        &self.faults
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The zones, in any order.
    pub fn zones(&self) -> impl Iterator<Item = &Zone> {
        self.zones.values()
    }

    /// Whether a zone contains the name.
    pub fn holds(&self, name: &Name) -> bool {
        self.enclosing(&label::of(name).to_ascii_lowercase())
            .is_some()
    }

    /// The deepest zone that contains a name in lower case, except the generated root.
    pub(super) fn enclosing(&self, name: &[u8]) -> Option<&Zone> {
        let changed = |origin: &[u8]| self.changed.iter().find(|zone| *zone.origin == *origin);
        label::and_above(name).find_map(|origin| changed(origin).or_else(|| self.zones.get(origin)))
    }

    /// The zone that contains a name, to change it in this snapshot only.
    pub(super) fn changing(&mut self, name: &Name) -> Option<&mut Zone> {
        let zone = self
            .enclosing(&label::of(name).to_ascii_lowercase())?
            .clone();
        let place = self
            .changed
            .iter()
            .position(|changed| changed.origin == zone.origin);
        let place = place.unwrap_or_else(|| {
            self.changed.push(zone);
            self.changed.len() - 1
        });
        self.changed.get_mut(place)
    }

    /// The deepest zone that contains a name in lower case, including the generated root.
    pub(super) fn zone(&self, name: &[u8]) -> Option<&Zone> {
        self.enclosing(name).or(self.root.as_deref())
    }
}

/// A root zone in which the names above the zones exist, and no others (RFC 8020).
fn root_of(zones: &HashMap<Box<[u8]>, Zone>) -> Zone {
    let mut root = Zone::empty(&Name::root());
    for origin in zones.keys() {
        root.claim(origin);
    }
    root.complete();
    root
}
