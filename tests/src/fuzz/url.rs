//! URLs: what parses is written so that it parses to the same, and secrets stay out of `tcUrl` and `Debug`.

use rtmp_core::RtmpUrl;
use rtmp_core::wire::url::{split_app, split_query};

/// A URL's text.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (name, instance) = split_app(&text);
    assert!(name.len() + instance.map_or(0, str::len) <= text.len());
    let (name, query) = split_query(&text);
    assert_eq!(name.len() + query.map_or(0, |query| query.len() + 1), text.len());
    let Ok(url) = RtmpUrl::parse(&text) else {
        return;
    };
    let written = url.to_string();
    let again = RtmpUrl::parse(&written).unwrap_or_else(|error| panic!("{written:?}: {error}"));
    assert_eq!((&again, again.to_string()), (&url, written));
    let tc_url = RtmpUrl::parse(&url.tc_url()).unwrap_or_else(|error| panic!("{:?}: {error}", url.tc_url()));
    assert_eq!((tc_url.user, tc_url.password), (None, None));
    assert_eq!(
        (&tc_url.host, tc_url.port, tc_url.scheme),
        (&url.host, url.port, url.scheme)
    );
    assert!(!url.application().contains(['/', '?']));
    for segments in 0..4 {
        let cut = url.clone().with_app_segments(segments);
        assert!(cut.app.len() + cut.stream_name.len() <= url.app.len() + url.stream_name.len() + 1);
    }
    assert!(!format!("{url:?}").is_empty());
}
