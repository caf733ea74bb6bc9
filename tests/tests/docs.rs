//! The pages say what is there: links lead somewhere, dependencies are those of the workspace, named tests exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rtmp_tests::programs::workspace;

/// Where the tests live that `docs/conformance.md` names by file and function.
const TESTS: [&str; 5] = [
    "rtmp-core/tests",
    "tests/tests",
    "tests/c",
    "tests/cpp",
    "bindings/python/tests",
];

#[test]
fn links_between_the_pages_lead_somewhere() {
    for page in pages() {
        let text = read(&page);
        let folder = page.parent().expect("a page is in a folder");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap_or_default();
            assert!(
                folder.join(file).exists(),
                "{}: {target} leads nowhere",
                page.display()
            );
        }
    }
}

#[test]
fn the_table_of_dependencies_is_that_of_the_workspace() {
    let manifest = read(&workspace().join("Cargo.toml"));
    let section = manifest
        .split("[workspace.dependencies]\n")
        .nth(1)
        .expect("the workspace has dependencies");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let entries = lines.filter_map(|line| line.split_once(" = "));
    let real: BTreeMap<&str, &str> = entries
        .filter(|(name, _)| !name.starts_with("rtmp"))
        .map(|(name, value)| {
            (
                name,
                quoted(
                    value
                        .split_once("version = ")
                        .map_or(value, |(_, version)| version),
                ),
            )
        })
        .collect();

    let page = read(&workspace().join("docs/architecture.md"));
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        Some((*cells.get(1)?, *cells.get(2)?))
    });
    let documented: BTreeMap<&str, &str> = rows
        .flat_map(|(names, versions)| names.split(", ").zip(versions.split(", ")))
        .filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(documented, real, "docs/architecture.md against Cargo.toml");
}

#[test]
fn every_test_that_the_conformance_page_names_exists() {
    let page = read(&workspace().join("docs/conformance.md"));
    let mut named = 0;
    for (file, function) in page
        .split('`')
        .filter_map(|text| text.split_once(".rs::").or(text.split_once(".py::")))
    {
        let found = TESTS.iter().any(|folder| {
            let stem = workspace().join(folder).join(file);
            let text =
                ["rs", "py"].map(|kind| fs::read_to_string(stem.with_extension(kind)).unwrap_or_default());
            text.iter().any(|text| text.contains(&format!("{function}(")))
        });
        assert!(found, "no test {file}::{function}");
        named += 1;
    }
    assert!(named > 20, "the page names tests as `file.rs::function`");
}

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(workspace().join("docs")).expect("docs can be read");
    let pages = docs.map(|entry| entry.expect("docs can be read").path());
    pages
        .chain([workspace().join("README.md")])
        .filter(|page| page.exists())
        .collect()
}

fn quoted(text: &str) -> &str {
    text.trim_start_matches('"').split('"').next().unwrap_or_default()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
