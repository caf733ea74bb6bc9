//! Bar charts, one for each column, under each other in one SVG.

use std::fmt::Write;

use crate::figures::Figures;

const BAR: usize = 18;
const LINE: usize = BAR + 6;
const HEAD: usize = 40;
const LEFT: usize = 260;
const WIDTH: f64 = 420.0;

/// One chart for each column, one bar for each candidate and size, `unit` after the size.
pub fn svg(title: &str, unit: &str, results: &[Figures]) -> String {
    let columns = results.first().map_or(&[][..], |figures| figures.columns);
    let chart = results.len() * LINE + HEAD;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n",
        LEFT + WIDTH as usize + 80,
        chart * columns.len(),
    );
    for (number, column) in columns.iter().enumerate() {
        let top = number * chart;
        let bars: Vec<f64> = results.iter().map(|figures| figures.median(number)).collect();
        let most = bars
            .iter()
            .copied()
            .filter(|bar| !bar.is_nan())
            .fold(0.0, f64::max);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<text x=\"10\" y=\"{}\" font-size=\"14\">{}: {}</text>",
            top + 20,
            escaped(title),
            escaped(&column.key.replace('_', " "))
        );
        for (row, (figures, &bar)) in results.iter().zip(&bars).enumerate() {
            let label = format!("{} ({} {unit})", figures.name, figures.size);
            bar_of(&mut text, top + 30 + row * LINE, &label, bar, most);
        }
    }
    text + "</svg>\n"
}

fn bar_of(text: &mut String, y: usize, label: &str, value: f64, most: f64) {
    let known = !value.is_nan() && most > 0.0;
    let width = if known { value / most * WIDTH } else { 0.0 };
    let shown = if value.is_nan() {
        "-".to_owned()
    } else {
        format!("{value:.2}")
    };
    let fill = if label.starts_with("floor") {
        "#999"
    } else {
        "#3a6ea5"
    };
    let label = escaped(label);
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{label}</text>\
         <rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{fill}\"/>\
         <text x=\"{:.1}\" y=\"{base}\">{shown}</text>",
        LEFT - 8,
        LEFT as f64 + width + 6.0,
        base = y + 13,
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Column;

    #[test]
    fn unknown_figures_have_no_bar() {
        const COLUMNS: &[Column] = &[Column {
            key: "cost",
            title: "cost",
        }];
        let mut figures = Figures::new("a<b", 5, COLUMNS);
        assert!(!svg("t", "players", &[figures.clone()]).contains("NaN"));
        figures.samples.push(vec![2.0]);
        let text = svg("t", "players", &[figures]);
        assert!(
            text.contains("a&lt;b (5 players)") && text.contains("width=\"420.0\""),
            "{text}"
        );
    }
}
