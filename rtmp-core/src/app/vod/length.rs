//! How long a recorded stream is.

use crate::amf::Value;
use crate::app::instance::Instance;
use crate::app::peer::Reply;
use crate::app::request::StreamLengthRequest;
use crate::app::vod::file::open;
use crate::error::{Error, Result};
use crate::wire::status::{Code, Status};

impl Instance {
    /// Looks up how long a stream is, in seconds: as long as its file, with a type prefix (`flv:`, `mp4:`, `mp3:`) that of its
    /// kind; 0 while it is published, and where there is no file. `reply` takes the number where the application's handlers run;
    /// NetStream.Failed, if the file cannot be read.
    pub fn stream_length(&self, name: &str, reply: Reply) -> Result<()> {
        let application = self.application().ok_or(Error::Closed("application"))?;
        let files = application.stream_files(self.name());
        let Some(files) = files.filter(|_| !self.is_live(name)) else {
            application.event(move |_| reply(Ok(Value::from(0.0))));
            return Ok(());
        };
        let (in_use, name) = (application.files_in_use().clone(), name.to_owned());
        let disk = application.disk().clone();
        disk.run(Box::new(move || {
            let file = open(&files, &in_use, &name);
            let length = file.map(|file| file.map_or(0, |mut file| file.source.length_ms()));
            #[allow(clippy::cast_precision_loss)] // Milliseconds of a file.
            let length = length.map(|millis| Value::from(millis as f64 / 1000.0));
            let length = length.map_err(|error| {
                let description = format!("The length of {name} is not known: {error}.");
                Status::new(Code::StreamFailed).with_description(description)
            });
            application.event(move |_| reply(length));
        }))
    }
}

impl StreamLengthRequest {
    /// Answers with the length of the stream's file; 0 for live streams and those that do not exist.
    pub fn accept_recorded(&self) -> bool {
        if self.is_answered() {
            return false;
        }
        let request = self.clone();
        let found = self.instance().stream_length(
            self.stream_name(),
            Box::new(move |length| {
                request.accept(length.ok().and_then(|length| length.as_f64()).unwrap_or(0.0));
            }),
        );
        found.is_ok() || self.accept(0.0)
    }
}
