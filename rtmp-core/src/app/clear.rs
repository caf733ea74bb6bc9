//! Clearing streams of an instance: those that are published now, and recorded ones on disk.

use crate::amf::Value;
use crate::app::instance::Instance;
use crate::app::peer::Reply;
use crate::app::stream_files::Selection;
use crate::error::{Error, Result};
use crate::wire::status::{Code, Status};

impl Instance {
    /// Clears a stream: takes it from whoever publishes it, and deletes the files of its name. With a type prefix (`flv:`,
    /// `mp4:`, `mp3:`) it deletes the file of that kind and leaves the live stream alone.
    ///
    /// `reply` takes how many streams and files there were; NetStream.Clear.Failed, if there was none or a file could not be
    /// deleted. [`ApplicationHandler::on_status`](crate::ApplicationHandler::on_status) hears of it too.
    pub fn clear_stream(&self, name: &str, reply: Option<Reply>) -> Result<()> {
        self.clear_selected(name, Selection::one(name)?, true, reply)
    }

    /// Clears the streams that a path names, as [`clear_stream`](Self::clear_stream) does each. `/` names all, `/a/b` one,
    /// `/a/` all below `a`; in the last segment `*` stands for any characters and `?` for one. That there is none is no
    /// failure.
    pub fn clear_streams(&self, path: &str, reply: Option<Reply>) -> Result<()> {
        self.clear_selected(path, Selection::matching(path)?, false, reply)
    }

    fn clear_selected(
        &self,
        path: &str,
        selection: Selection,
        must_exist: bool,
        reply: Option<Reply>,
    ) -> Result<()> {
        let application = self.application().ok_or(Error::Closed("application"))?;
        let files = application.stream_files(self.name());
        let live = match selection.kind {
            None => self.clear_live(|name| selection.takes(name)),
            Some(_) => 0,
        };
        let (instance, path) = (self.clone(), path.to_owned());
        let disk = application.disk().clone();
        disk.run(Box::new(move || {
            let deleted = files.map_or(Ok(0), |files| files.delete(&selection));
            let result = deleted
                .map(|deleted| live + deleted)
                .map_err(|error| error.to_string());
            let result = match result {
                Ok(0) if must_exist => Err("There is no such stream.".to_owned()),
                result => result,
            };
            let status = match &result {
                Ok(_) => Status::for_stream(Code::ClearSuccess, &path),
                Err(why) => Status::for_stream(Code::ClearFailed, &path).with_description(why),
            };
            application.event(move |handler| {
                handler.on_status(&instance, &status);
                if let Some(reply) = reply {
                    #[allow(clippy::cast_precision_loss)] // A count of files.
                    reply(result.map(|count| Value::from(count as f64)).map_err(|_| status));
                }
            });
        }))
    }
}
