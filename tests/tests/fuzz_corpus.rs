//! What fuzzing found worth keeping, and the literal cases it began with, replayed with the memory limits checked.

use std::fs;
use std::path::Path;

use rtmp_tests::fuzz::{TARGETS, memory, seeds};

#[global_allocator]
static COUNTING: memory::Counting = memory::Counting;

#[test]
fn seeds_keep_every_promise() {
    for seed in seeds::all() {
        let target = TARGETS.iter().find(|target| target.name == seed.target);
        (target.expect("a target of that name").run)(&seed.data);
    }
}

#[test]
fn the_kept_corpus_keeps_every_promise() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for target in TARGETS {
        let folder = corpus.join(target.name);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut count = 0;
        for file in files {
            let path = file.expect("a folder that can be listed").path();
            let data = fs::read(&path).expect("a file that can be read");
            // The name stands above the panic message of whatever fails.
            println!("{}", path.display());
            (target.run)(&data);
            count += 1;
        }
        assert!(count > 0, "{} is empty", folder.display());
    }
}
