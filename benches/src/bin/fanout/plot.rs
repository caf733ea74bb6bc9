//! A bar chart of CPU time per GB delivered.

use std::fmt::Write;

use crate::figures::Figures;

const BAR: usize = 18;
const LEFT: usize = 260;
const WIDTH: f64 = 420.0;

/// One bar for each candidate and number of players.
pub(crate) fn svg(results: &[Figures]) -> String {
    let most = results
        .iter()
        .map(Figures::cpu_per_gb)
        .filter(|cpu| !cpu.is_nan())
        .fold(0.1, f64::max);
    let height = results.len() * (BAR + 6) + 50;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<text x=\"10\" y=\"20\" font-size=\"14\">CPU seconds of the server per GB delivered</text>\n",
        LEFT + WIDTH as usize + 80
    );
    for (row, figures) in results.iter().enumerate() {
        let (cpu, y) = (figures.cpu_per_gb(), 36 + row * (BAR + 6));
        let width = if cpu.is_nan() { 0.0 } else { cpu / most * WIDTH };
        let label = format!("{} ({} players)", figures.name, figures.players);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{cpu:.2}</text>",
            LEFT - 8,
            y + 13,
            if figures.name.starts_with("floor") {
                "#999"
            } else {
                "#3a6ea5"
            },
            LEFT as f64 + width + 6.0,
            y + 13,
        );
    }
    text + "</svg>\n"
}
