//! Groups of rows that are held out, or judged, together: workloads, or what stands for them.

use kepler_train::validate::{Fold, HeldOut, behaviour, by_group, score};
use kepler_train::{Dataset, Table, TrainError};

/// The column that names kinds of work.
const WORKLOAD: &str = "workload";
/// The most groups: a model is trained without each.
const MOST: usize = 100;
/// Columns that say when a row was recorded, in seconds.
const TIMES: [&str; 2] = ["time_unix_seconds", "timestamp"];
/// Recording stopped where rows are this many times farther apart than most.
const GAP: f64 = 20.0;
/// The fewest parts between gaps, and the fewest rows of one, that stand for workloads.
const PARTS: usize = 3;
const ROWS_OF_PART: usize = 10;

/// The group of each row.
pub(super) struct Groups {
    rows: Vec<usize>,
    names: Vec<String>,
    what: String,
    /// Whether they are what the rows say, not what was told apart by what was counted.
    given: bool,
}

impl Groups {
    /// By a column that was asked for, else by `workload`, by gaps in time, by what the machine did.
    pub(super) fn of(column: Option<&str>, table: &Table, data: &Dataset) -> Result<Self, TrainError> {
        let named = column.or_else(|| table.names().find(|name| *name == WORKLOAD));
        if let Some(name) = named {
            let (rows, names) = table.groups(name)?;
            match names.len() {
                2..=MOST => return Ok(Groups { rows, names, what: name.to_owned(), given: true }),
                found if column.is_some() && found > MOST => {
                    return Err(TrainError::TooMany { what: "groups to leave out", found, limit: MOST });
                }
                _ if column.is_some() => {
                    let remedy = "give a column that has several values, or none";
                    return Err(TrainError::Setting {
                        what: "the column to leave out by",
                        value: format!("`{name}`, which is the same in all rows"),
                        remedy,
                    });
                }
                // What was not asked for and tells nothing apart.
                _ => {}
            }
        }
        let numbered =
            |rows: &[usize]| (1..=rows.iter().max().map_or(0, |most| most + 1)).map(|n| n.to_string()).collect();
        if let Some(rows) = parts(table) {
            let names = numbered(&rows);
            return Ok(Groups { rows, names, what: "part of the recording".to_owned(), given: true });
        }
        let rows = behaviour(data);
        Ok(Groups { names: numbered(&rows), rows, what: "kind of work".to_owned(), given: false })
    }

    pub(super) fn folds(&self) -> Vec<Fold> {
        by_group(&self.rows)
    }

    pub(super) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// What holds of any part of the rows; kinds of work are told apart again in each.
    pub(super) fn given(&self) -> Option<&[usize]> {
        self.given.then_some(&self.rows)
    }

    pub(super) fn validation(&self) -> String {
        format!("leave one {} out ({})", self.what, self.names.len())
    }

    /// A line a group.
    pub(super) fn report(&self, component: &str, held: &[HeldOut]) -> String {
        if self.names.len() < 2 {
            return String::new();
        }
        let mut page =
            format!("\n| {component}, {} | rows | MAE | bias | interval |\n|---|---|---|---|---|\n", self.what);
        for (group, name) in self.names.iter().enumerate() {
            let is_member = |held: &&HeldOut| self.rows.get(held.row) == Some(&group);
            let members: Vec<HeldOut> = held.iter().filter(is_member).copied().collect();
            let score = score(component, name, &members);
            let interval = match (score.coverage, score.width) {
                (Some(coverage), Some(width)) => format!("covers {:.1} %, {width:.1} W wide", coverage * 100.0),
                _ => "–".to_owned(),
            };
            let name = name.replace('|', "\\|");
            page += &format!("| {name} | {} | {:.2} W | {:+.2} W | {interval} |\n", score.rows, score.mae, score.bias);
        }
        page
    }
}

/// Parts of a recording between gaps in time, if there are several.
fn parts(table: &Table) -> Option<Vec<usize>> {
    let column = TIMES.into_iter().find(|time| table.names().any(|name| name == *time))?;
    let times = table.numbers(column).ok()?;
    let steps: Vec<f64> =
        times.windows(2).map(|pair| pair.last().zip(pair.first()).map_or(0.0, |(b, a)| b - a)).collect();
    let mut sorted = steps.clone();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted.get(sorted.len() / 2).copied().filter(|step| *step > 0.0)?;
    let mut part = 0;
    let rest = steps.iter().map(|step| {
        // Time that runs backwards is another file.
        part += usize::from(*step < 0.0 || *step > GAP * usual);
        part
    });
    let parts: Vec<usize> = std::iter::once(0).chain(rest).collect();
    let folds = by_group(&parts);
    ((PARTS..=MOST).contains(&folds.len()) && folds.iter().all(|fold| fold.len() >= ROWS_OF_PART)).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kepler_core::units::ZoneKind;

    fn groups(csv: &str, column: Option<&str>) -> Groups {
        of(csv, column).unwrap()
    }

    fn of(csv: &str, column: Option<&str>) -> Result<Groups, TrainError> {
        let table = Table::from_csv("rows", csv.as_bytes()).unwrap();
        let data = Dataset::of(&table, &["a".to_owned()], &[(ZoneKind::Package, "package_power".to_owned())]).unwrap();
        Groups::of(column, &table, &data)
    }

    fn csv(rows: usize, line: impl Fn(usize) -> String) -> String {
        format!("timestamp,workload,a,package_power\n{}", (0..rows).map(line).collect::<String>())
    }

    #[test]
    fn workloads_come_first_then_gaps_in_time_then_what_was_done() {
        let named = groups(&csv(40, |n| format!("{n},{},{},50\n", ["web", "sort"][n / 20], n % 9)), None);
        assert_eq!((named.validation().as_str(), named.given().is_some()), ("leave one workload out (2)", true));
        let stopped = csv(60, |n| format!("{},one,{},50\n", n + n / 20 * 1000, n % 9));
        assert_eq!(groups(&stopped, None).validation(), "leave one part of the recording out (3)");
        let steady = groups(&csv(40, |n| format!("{n},one,{},50\n", if n < 20 { 1 } else { 900 })), None);
        assert_eq!((steady.validation().as_str(), steady.given().is_some()), ("leave one kind of work out (2)", false));
        let refused = |column| of(&stopped, Some(column)).err().unwrap().to_string();
        assert!(refused("workload").contains("`workload`, which is the same in all rows"), "{}", refused("workload"));
        let many = csv(150, |n| format!("{n},{n},{},50\n", n % 9));
        let refused = of(&many, Some("workload")).err().unwrap().to_string();
        assert!(refused.starts_with("150 groups to leave out where at most 100"), "{refused}");
        assert!(groups(&many, None).validation().starts_with("leave one kind of work out"));
    }
}
