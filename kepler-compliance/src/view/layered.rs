//! What is remembered finely and briefly, over what is remembered coarsely and long.

use super::{EnergySeries, EnergyView, Inventory, Subject, TimeRange, ViewError};
use jiff::Timestamp;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Answers cover nearly all of what was asked from this share on; there is no need to look further then.
const NEARLY_ALL: f64 = 0.99;

/// Energy as a recent view knows it, and, for times that it does not reach back to, as an older one does: a
/// [`LiveView`](super::LiveView) over a `History`.
///
/// An answer comes from one of them as a whole, never from both: their steps and their identities differ (a
/// history knows processes by name). It is the recent one's unless the older one covers more.
pub struct LayeredView {
    recent: Arc<dyn EnergyView>,
    older: Arc<OnceLock<Box<dyn EnergyView>>>,
}

impl LayeredView {
    /// `older` may be filled later, or never.
    pub fn new(recent: Arc<dyn EnergyView>, older: Arc<OnceLock<Box<dyn EnergyView>>>) -> Self {
        LayeredView { recent, older }
    }

    fn better<T>(
        &self,
        ask: impl Fn(&dyn EnergyView) -> Result<T, ViewError>,
        coverage: impl Fn(&T) -> f64,
    ) -> Result<T, ViewError> {
        let recent = ask(&*self.recent);
        let Some(older) = self.older.get() else { return recent };
        match &recent {
            Ok(answer) if coverage(answer) >= NEARLY_ALL => return recent,
            Ok(_) | Err(ViewError::NoData { .. }) => {}
            Err(_) => return recent,
        }
        match (recent, ask(&**older)) {
            // As much within one in a hundred: a history is some seconds behind.
            (Ok(recent), Ok(older)) if coverage(&older) > coverage(&recent) + (1.0 - NEARLY_ALL) => Ok(older),
            (Err(_), Ok(older)) => Ok(older),
            (recent, _) => recent,
        }
    }
}

impl std::fmt::Debug for LayeredView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let older = self.older.get().map(|view| view.name());
        f.debug_struct("LayeredView").field("recent", &self.recent.name()).field("older", &older).finish()
    }
}

impl EnergyView for LayeredView {
    fn name(&self) -> &str {
        self.recent.name()
    }

    fn inventory(&self, range: TimeRange) -> Result<Inventory, ViewError> {
        self.better(|view| view.inventory(range), |inventory| inventory.coverage)
    }

    fn series(&self, subject: &Subject, range: TimeRange, step: Duration) -> Result<EnergySeries, ViewError> {
        self.better(|view| view.series(subject, range, step), |series| series.coverage)
    }

    fn newest(&self) -> Option<Timestamp> {
        self.recent.newest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Series;
    use kepler_core::meter::Method;

    /// Knows the time since `since`, seconds after 1970.
    struct Since(&'static str, i64);

    impl Since {
        fn coverage(&self, range: TimeRange) -> Result<f64, ViewError> {
            let known = range.end.as_second() - self.1.max(range.start.as_second());
            if known <= 0 {
                return Err(ViewError::NoData { origin: self.0.into(), range, reason: "too early".into() });
            }
            Ok(known as f64 / range.length().as_secs_f64())
        }
    }

    impl EnergyView for Since {
        fn name(&self) -> &str {
            self.0
        }

        fn inventory(&self, range: TimeRange) -> Result<Inventory, ViewError> {
            let coverage = self.coverage(range)?;
            let (nodes, workloads, skipped) = (Vec::new(), Vec::new(), Vec::new());
            Ok(Inventory { moment: self.0.into(), asked: range, covered: range, coverage, nodes, workloads, skipped })
        }

        fn series(&self, _: &Subject, range: TimeRange, _: Duration) -> Result<EnergySeries, ViewError> {
            let steps = Series::new(Vec::new()).unwrap();
            let coverage = self.coverage(range)?;
            Ok(EnergySeries { steps, method: Method::Measured, coverage, moment: self.0.into() })
        }
    }

    /// Which layer answers for the last so many seconds before the thousandth.
    fn answers(view: &LayeredView, seconds: u64) -> Option<String> {
        let range = TimeRange::ending(Timestamp::from_second(1000).unwrap(), Duration::from_secs(seconds));
        let series = view.series(&Subject::Cluster, range, Duration::from_secs(1)).ok().map(|series| series.moment);
        let inventory = view.inventory(range).ok().map(|inventory| inventory.moment);
        assert_eq!(series, inventory);
        inventory
    }

    #[test]
    fn the_older_view_answers_only_where_it_knows_more() {
        let older: Arc<OnceLock<Box<dyn EnergyView>>> = Arc::default();
        let view = LayeredView::new(Arc::new(Since("recent", 900)), Arc::clone(&older));
        assert_eq!(answers(&view, 500).as_deref(), Some("recent"), "there is no other yet");
        assert!(older.set(Box::new(Since("older", 600))).is_ok());
        assert_eq!(answers(&view, 100).as_deref(), Some("recent"));
        assert_eq!(answers(&view, 101).as_deref(), Some("recent"), "nearly all is enough");
        assert_eq!(answers(&view, 500).as_deref(), Some("older"));
    }

    #[test]
    fn a_view_that_knows_nothing_gives_way() {
        let layered = |recent: i64, older: i64| {
            let older: Box<dyn EnergyView> = Box::new(Since("older", older));
            LayeredView::new(Arc::new(Since("recent", recent)), Arc::new(older.into()))
        };
        assert_eq!(answers(&layered(2000, 0), 50).as_deref(), Some("older"));
        assert_eq!(answers(&layered(990, 2000), 50).as_deref(), Some("recent"));
        assert_eq!(answers(&layered(2000, 2000), 50), None);
    }
}
