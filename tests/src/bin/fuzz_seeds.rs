//! `fuzz_seeds FOLDER` writes the seeds of every fuzz target to FOLDER/TARGET, for a run to begin with.

use std::path::PathBuf;
use std::{env, fs, io};

use rtmp_tests::fuzz::seeds;

fn main() -> io::Result<()> {
    let folder = env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or_else(|| io::Error::other("name a folder"))?;
    for (index, seed) in seeds::all().into_iter().enumerate() {
        let folder = folder.join(seed.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{index:03}")), seed.data)?;
    }
    Ok(())
}
