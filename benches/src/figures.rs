//! What was measured, as medians, a table and JSON.

use serde_json::{Map, Value, json};

/// One figure of a run.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name in JSON.
    pub key: &'static str,
    /// Its heading in the table.
    pub title: &'static str,
}

/// One run: a figure for each column, not a number where nothing is known.
pub type Sample = Vec<f64>;

/// All runs of one candidate at one size.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The candidate.
    pub name: String,
    /// How many players, publishers, or whatever the size is.
    pub size: usize,
    /// What the samples hold. The first column is the one that is compared and matters most.
    pub columns: &'static [Column],
    /// The runs that came to an end.
    pub samples: Vec<Sample>,
    /// Why the others did not.
    pub failures: Vec<String>,
}

impl Figures {
    /// Nothing yet.
    pub fn new(name: &str, size: usize, columns: &'static [Column]) -> Self {
        Self {
            name: name.to_owned(),
            size,
            columns,
            samples: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// The median of a column; not a number when nothing is known.
    pub fn median(&self, column: usize) -> f64 {
        let known = self.samples.iter().filter_map(|sample| sample.get(column));
        let mut values: Vec<f64> = known.copied().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
        match (values.get(low), values.get(high)) {
            (Some(low), Some(high)) => f64::midpoint(*low, *high),
            _ => f64::NAN,
        }
    }

    fn to_json(&self) -> Value {
        let object = |figure: &dyn Fn(usize) -> f64| -> Value {
            let fields = self.columns.iter().enumerate();
            let fields: Map<String, Value> = fields
                .map(|(at, column)| (column.key.to_owned(), json!(figure(at))))
                .collect();
            Value::Object(fields)
        };
        let runs = self.samples.iter();
        let runs: Vec<Value> = runs
            .map(|sample| object(&|at| sample.get(at).copied().unwrap_or(f64::NAN)))
            .collect();
        json!({
            "name": self.name,
            "size": self.size,
            "median": object(&|at| self.median(at)),
            "runs": runs,
            "failures": self.failures,
        })
    }
}

/// A table of medians. Beside them stands the first column's ratio to that of `baseline`.
pub fn table(title: &str, figures: &[Figures], baseline: &str) -> String {
    let base = figures.iter().find(|figures| figures.name == baseline);
    let base = base.map_or(f64::NAN, |figures| figures.median(0));
    let columns = figures.first().map_or(&[][..], |figures| figures.columns);
    let ratio = format!("to {baseline}");
    let width = ratio.len().max(9);
    let mut text = format!("{title}\n{:20} {ratio:>width$}", "");
    for column in columns {
        text += &format!(" {:>12}", column.title);
    }
    for figures in figures {
        text += &format!("\n{:20} {:>width$}", figures.name, cell(figures.median(0) / base));
        for at in 0..columns.len() {
            text += &format!(" {:>12}", cell(figures.median(at)));
        }
        if let Some(why) = figures.failures.first() {
            text += &format!("   {} failed: {why}", figures.failures.len());
        }
    }
    text + "\n"
}

/// Everything, each run by itself.
pub fn to_json(bench: &str, figures: &[Figures]) -> Value {
    let results: Vec<Value> = figures.iter().map(Figures::to_json).collect();
    json!({ "bench": bench, "results": results })
}

fn cell(value: f64) -> String {
    match value {
        value if value.is_nan() => "-".to_owned(),
        value if value.fract() == 0.0 => format!("{value:.0}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column {
        key: "cost",
        title: "cost",
    }];

    fn figures(name: &str, values: &[f64]) -> Figures {
        let mut figures = Figures::new(name, 1, COLUMNS);
        figures.samples = values.iter().map(|&value| vec![value]).collect();
        figures
    }

    #[test]
    fn the_median_leaves_out_what_is_unknown() {
        assert_eq!(figures("a", &[3.0, f64::NAN, 1.0, 2.0]).median(0), 2.0);
        assert_eq!(figures("a", &[1.0, 2.0]).median(0), 1.5);
        assert!(figures("a", &[]).median(0).is_nan());
    }

    #[test]
    fn the_table_has_ratios_to_the_baseline() {
        let all = [figures("base", &[2.0]), figures("other", &[3.0])];
        let text = table("title", &all, "base");
        assert!(
            text.lines()
                .any(|line| line.starts_with("other") && line.contains("1.50")),
            "{text}"
        );
    }
}
